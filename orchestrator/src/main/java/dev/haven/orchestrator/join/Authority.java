package dev.haven.orchestrator.join;

import dev.haven.core.ha.ClusterState;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.TlsException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The cluster's certificate authority, as far as this voter can open its key. */
public final class Authority {
  private static final Logger log = LoggerFactory.getLogger(Authority.class);

  private final Supplier<ClusterState> state;
  private final Path caFile;
  private final Function<String, Optional<byte[]>> opens;

  /**
   * @param caFile what this cluster trusts
   * @param opens the key as it stands in the log; empty if another key than this voter's seals it
   */
  public Authority(
      Supplier<ClusterState> state, Path caFile, Function<String, Optional<byte[]>> opens) {
    this.state = state;
    this.caFile = caFile;
    this.opens = opens;
  }

  /** Empty if the log has no key, or one that this voter cannot use. */
  Optional<CertificateAuthority> open() {
    try {
      var key = state.get().authority().flatMap(opens);
      return key.isPresent()
          ? Optional.of(CertificateAuthority.of(caFile, key.get()))
          : Optional.empty();
    } catch (TlsException e) {
      log.warn("nobody can join here: {}", e.getMessage());
      return Optional.empty();
    }
  }

  /** Of its certificate; empty if nobody can join. */
  public Optional<String> fingerprint() {
    return open().map(CertificateAuthority::fingerprint);
  }
}
