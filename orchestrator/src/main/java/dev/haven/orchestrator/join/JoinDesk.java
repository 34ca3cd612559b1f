package dev.haven.orchestrator.join;

import dev.haven.core.ha.ClusterState;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.JoinToken;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.Mistakes;
import dev.haven.model.api.Reply;
import dev.haven.model.wire.Join;
import dev.haven.model.wire.ToAgent;
import dev.haven.orchestrator.port.ClusterApi;
import dev.haven.raft.port.ReplicatedLog;
import dev.haven.tls.Fingerprint;
import dev.haven.tls.Role;
import dev.haven.tls.SigningRequest;
import dev.haven.tls.TlsException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Judges newcomers, several side by side: the log decides between them. The token decides the role,
 * and the name where it names one; of the newcomer's signing request only the key counts.
 */
public final class JoinDesk {
  private static final Logger log = LoggerFactory.getLogger(JoinDesk.class);

  /** More, and certificates and logs of the two would contradict each other. */
  static final Duration CLOCKS_APART = Duration.ofMinutes(5);

  /** An IP address, or a name. */
  private static final Pattern ADDRESS =
      Pattern.compile("[0-9A-Za-z]([0-9A-Za-z._-]{0,251}[0-9A-Za-z])?|\\[?[0-9A-Fa-f:.]{2,45}]?");

  private static final Duration COMMIT_WITHIN = Duration.ofSeconds(20);

  /** A new voter may take long to catch up. */
  private static final Duration MEMBER_WITHIN = Duration.ofSeconds(35);

  /**
   * What all voters have in common.
   *
   * @param name this voter's
   * @param cluster its name, for people
   * @param ca what this cluster trusts
   * @param secretsKey the file with the voters' own key
   */
  public record House(
      String name,
      String cluster,
      Path ca,
      Optional<Path> secretsKey,
      int heartbeatPort,
      int port) {}

  private final House house;
  private final Supplier<ClusterState> state;
  private final ClusterApi api;
  private final Authority authority;
  private final Supplier<List<ToAgent.Voter>> voters;
  private final Clock clock;

  /**
   * @param voters those of the log, as they are reached
   */
  public JoinDesk(
      House house,
      Supplier<ClusterState> state,
      ClusterApi api,
      Authority authority,
      Supplier<List<ToAgent.Voter>> voters,
      Clock clock) {
    this.house = house;
    this.state = state;
    this.api = api;
    this.authority = authority;
    this.voters = voters;
    this.clock = clock;
  }

  /** Where a newcomer is let in by that voter. */
  static String doorOf(ToAgent.Voter voter, int port) {
    return voter.api().substring(0, voter.api().lastIndexOf(':')) + ":" + port;
  }

  /** May wait for the log. */
  Join.Answer answer(Join.Request request) {
    try {
      return judged(request);
    } catch (TlsException | IllegalArgumentException e) {
      return new Join.Answer.Refused(String.valueOf(e.getMessage()));
    } catch (ReplicatedLog.NotLeader e) {
      return elsewhere(e.leader());
    } catch (ReplicatedLog.Rejection e) {
      return new Join.Answer.NotNow(e.getMessage() + "; join again");
    } catch (IOException e) {
      log.error("{} could not be let in", request, e);
      return new Join.Answer.NotNow("voter " + house.name + " cannot read its own files");
    }
  }

  private Join.Answer elsewhere(Optional<String> leader) {
    return voters.get().stream()
        .filter(v -> leader.equals(Optional.of(v.name())) && !v.name().equals(house.name))
        .findFirst()
        .<Join.Answer>map(v -> new Join.Answer.Elsewhere(doorOf(v, house.port)))
        .orElseGet(
            () ->
                new Join.Answer.NotNow(
                    "no voter leads at the moment, as far as voter %s knows; join again"
                        .formatted(house.name)));
  }

  private Join.Answer judged(Join.Request r) throws IOException {
    var leader = api.leader();
    if (!leader.equals(Optional.of(house.name))) {
      return elsewhere(leader);
    }
    var apart = Duration.between(clock.instant(), r.clock());
    if (apart.abs().compareTo(CLOCKS_APART) > 0) {
      return new Join.Answer.Refused(
          "the clock of the machine that joins says %s, and that of voter %s %s; set the one that is wrong (timedatectl), and join again"
              .formatted(
                  r.clock().truncatedTo(ChronoUnit.SECONDS),
                  house.name,
                  clock.instant().truncatedTo(ChronoUnit.SECONDS)));
    }
    var key = SigningRequest.keyOf(Base64.getDecoder().decode(r.signingRequest()));
    var hash = Fingerprint.of(r.secret().getBytes(StandardCharsets.US_ASCII));
    var signer = authority.open();
    if (signer.isEmpty()) {
      return new Join.Answer.Refused(
          "voter %s cannot open the key of the certificate authority, so nobody can join; haven status says why"
              .formatted(house.name));
    }
    var address = address(r);
    var id = Fingerprint.of(key);
    var token = state.get().tokens().stream().filter(t -> counts(t, hash, r, id)).findFirst();
    if (token.isPresent()) { // nobody without a token that counts learns of names and addresses
      var wrong =
          r.role().votes()
              ? wrong(r, address, token.get().use().isPresent())
              : wrongHost(r, token.get());
      if (wrong.isPresent()) {
        return new Join.Answer.Refused(wrong.get());
      }
    }
    var use =
        new Command.UseToken(hash, r.role(), r.name(), id, r.role().votes() ? none() : host(r));
    var reply =
        ClusterApi.await(
            api.command(
                new CommandRequest(new RequestId(UUID.randomUUID().toString()), use, false),
                "token " + hash.substring(0, 8)),
            COMMIT_WITHIN);
    return switch (reply) {
      case Reply.Refused refused -> new Join.Answer.Refused(refused.message());
      case Reply.Accepted _ when r.ready() && r.role().votes() -> member(address);
      case Reply.Accepted _ -> {
        log.info("{} {} is let in by token {}", r.role().word(), r.name(), hash.substring(0, 8));
        yield welcome(
            r,
            signer.get().certify(key, r.name(), role(r), r.role().votes() ? names(r) : List.of()));
      }
    };
  }

  /** The log says what is wrong with one that does not. */
  private boolean counts(JoinToken token, String hash, Join.Request r, String key) {
    return token.hash().equals(hash)
        && token.role() == r.role()
        && clock.instant().isBefore(token.until())
        && token.use().filter(u -> !u.by(r.name(), key)).isEmpty();
  }

  private static Optional<HostSpec> none() {
    return Optional.empty();
  }

  private static Role role(Join.Request r) {
    return r.role().votes() ? Role.VOTER : Role.HOST;
  }

  /** Under which others may check a voter. */
  private static List<String> names(Join.Request r) {
    return List.of(bare(r.address()));
  }

  private static String bare(String address) {
    return address.startsWith("[") ? address.substring(1, address.length() - 1) : address;
  }

  private static ReplicatedLog.VoterAddress address(Join.Request r) {
    if (!ADDRESS.matcher(r.address()).matches()) {
      throw new IllegalArgumentException(
          "what this machine calls its address is no address; give it with --address");
    }
    var at =
        r.address().contains(":") && !r.address().startsWith("[")
            ? "[" + r.address() + "]"
            : r.address();
    return new ReplicatedLog.VoterAddress(
        r.name(),
        at + ":" + r.raftPort(),
        Optional.of(at + ":" + r.apiPort()),
        r.networks().stream()
            .collect(Collectors.toMap(n -> n.name(), n -> n.address(), (first, _) -> first)),
        r.role() == JoinToken.Role.WITNESS);
  }

  /** Nothing of what a newcomer says of itself becomes a program, a path or a command. */
  private static Optional<HostSpec> host(Join.Request r) {
    return Optional.of(
        new HostSpec(
            new HostId(r.name()),
            Optional.empty(),
            "qemu+tls://%s/system"
                .formatted(r.address().contains(":") ? "[" + bare(r.address()) + "]" : r.address()),
            r.networks(),
            List.of(),
            Map.of(),
            Optional.empty(),
            HostSpec.DEFAULT_MEMORY_RESERVE_MIB,
            HostSpec.DEFAULT_CPU_OVERCOMMIT));
  }

  /**
   * @param again whether this very newcomer was let in before
   */
  private Optional<String> wrong(
      Join.Request r, ReplicatedLog.VoterAddress address, boolean again) {
    var mistakes = Mistakes.voter(r.name(), address.raft(), address.api(), address.networks());
    if (!mistakes.isEmpty()) {
      return Optional.of(String.join("\n", mistakes));
    }
    for (var voter : voters.get()) {
      if (voter.name().equals(r.name()) && !again) {
        return Optional.of(
            "voter %s: there is one of this name; choose another one with --name, or if this machine replaces it: haven voter remove %s, and join again"
                .formatted(r.name(), r.name()));
      }
      if (!voter.name().equals(r.name()) && voter.raft().equals(address.raft())) {
        return Optional.of(
            "voter %s: address %s is that of voter %s; give this machine's own with --address"
                .formatted(r.name(), address.raft(), voter.name()));
      }
    }
    return Optional.empty();
  }

  /**
   * A voter and a host of one name are one machine: they are lost together. The log looks at the
   * rest.
   */
  private Optional<String> wrongHost(Join.Request r, JoinToken token) {
    var own =
        Stream.concat(Stream.of(bare(r.address())), r.networks().stream().map(n -> n.address()));
    var addresses = own.collect(Collectors.toSet());
    return voters.get().stream()
        .filter(v -> v.name().equals(r.name()) && token.name().isEmpty())
        .filter(
            v ->
                Stream.concat(
                        Stream.of(v.api(), v.raft()).map(JoinDesk::hostOf),
                        v.networks().values().stream())
                    .noneMatch(addresses::contains))
        .findFirst()
        .map(
            v ->
                "host %s: voter %s has this name and other addresses; choose another one with --name, or if it is this machine: haven token create --role host --name %s"
                    .formatted(r.name(), r.name(), r.name()));
  }

  private static String hostOf(String place) {
    return bare(place.substring(0, place.lastIndexOf(':')));
  }

  private Join.Answer member(ReplicatedLog.VoterAddress address) {
    if (voters.get().stream().noneMatch(v -> v.name().equals(address.name()))) {
      ClusterApi.await(api.addVoter(address), MEMBER_WITHIN);
    }
    return new Join.Answer.Member("voter %s is a member now".formatted(address.name()));
  }

  private Join.Answer welcome(Join.Request r, String certificate) throws IOException {
    var secrets = r.role().votes() ? house.secretsKey : Optional.<Path>empty();
    return new Join.Answer.Welcome(
        certificate,
        Files.readString(house.ca),
        secrets.isPresent() ? Optional.of(Files.readString(secrets.get())) : Optional.empty(),
        house.cluster,
        voters.get(),
        house.heartbeatPort,
        house.port);
  }
}
