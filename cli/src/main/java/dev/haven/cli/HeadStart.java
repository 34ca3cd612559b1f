package dev.haven.cli;

import dev.haven.model.Json;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPairGenerator;
import java.security.Security;
import java.security.spec.ECGenParameterSpec;
import java.util.Collections;
import java.util.List;
import java.util.Set;

/**
 * What takes long in a TLS request of a young JVM and depends on no argument: done on another
 * processor while the command line and the settings are read. docs/cli.md has the figures.
 */
final class HeadStart {
  private static final Set<String> NO_REQUEST =
      Set.of("--help", "-h", "--version", "-V", "ca", "completion", "lab", "bench", "demo");

  private HeadStart() {}

  /** Call it before anything else; for this process only, so not in a test. */
  static void prepare(String[] args) {
    // without this the client makes a key of each of two families, and needs the other one's code;
    // our certificates are of this one
    System.setProperty("jdk.tls.namedGroups", "secp256r1,secp384r1,secp521r1");
    if (args.length > 0 && Collections.disjoint(NO_REQUEST, List.of(args))) {
      var thread = new Thread(() -> run(args), "head-start");
      thread.setDaemon(true);
      thread.start();
    }
    // "jdkCA" makes the JDK parse all public authorities, 30 ms, to see whether ours is one of
    // them.
    // Without the word its limits hold for any authority.
    var limits = "jdk.certpath.disabledAlgorithms";
    Security.setProperty(limits, Security.getProperty(limits).replace("jdkCA & ", ""));
  }

  private static void run(String[] args) {
    try {
      if (asksThisMachine(args)) {
        StatusVerb.prepare();
        return;
      }
      // named, because to look for a provider takes longer than the key
      var keys = KeyPairGenerator.getInstance("EC", "SunEC");
      keys.initialize(new ECGenParameterSpec("secp256r1"));
      keys.generateKeyPair(); // computes tables of this curve, 60 ms, which every handshake needs
    } catch (GeneralSecurityException e) {
      return; // the handshake says what is wrong
    }
    if (List.of(args).contains("status")) {
      StatusVerb.prepare();
    } else {
      Json.mapper();
    }
  }

  /** Whether it begins with a voter's socket, which needs no TLS. */
  private static boolean asksThisMachine(String[] args) {
    if (!Collections.disjoint(Set.of("--voter", "--config"), List.of(args))) {
      return false;
    }
    try {
      var settings = CliConfig.find(null, System.getenv(), Path.of("").toAbsolutePath());
      return CliConfig.isLocal(CliConfig.uri(settings.voters().getFirst()));
    } catch (Stop e) {
      return false; // said where it is needed
    }
  }
}
