package dev.haven.cli;

import dev.haven.model.JoinToken;
import dev.haven.model.config.Settings;
import dev.haven.model.config.VoterAddress;
import dev.haven.model.wire.Join;
import dev.haven.tls.AuthorityFile;
import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import dev.haven.tls.SigningRequest;
import dev.haven.tls.TokenText;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Makes this machine a part of a cluster, by a token of {@code haven token create}. */
@Command(
    name = "join",
    description = {
      "Makes this machine a host or a voter of the cluster that a token is from. Needs root.",
      "The keys are made here and never leave this machine. The voter must show the certificate"
          + " authority that the token names; nothing is sent to anybody else.",
      "",
      "Run again after an interruption, it goes on, as long as the token lasts. It overwrites no"
          + " file."
    },
    footer = {
      "Examples:",
      "  haven join 10.0.0.1 --token haven1.voter.… --token haven1.host.…",
      "  haven join 10.0.0.1 --token haven1.host.… --name d --address 10.0.0.4",
      "  haven join 10.0.0.1 --token - < token      from a file, out of sight of others"
    })
final class JoinVerb extends Verb {
  private static final Duration WITHIN = Duration.ofSeconds(60);

  @Parameters(
      index = "0",
      paramLabel = "ADDRESS[:PORT]",
      description = "Any voter of the cluster. The port is 7703 unless another one is given.")
  String voter = "";

  @Option(
      names = "--token",
      required = true,
      paramLabel = "TOKEN",
      description = "As haven token create printed it; may be repeated. - reads them from stdin.")
  List<String> tokens = List.of();

  @Option(
      names = "--address",
      paramLabel = "ADDRESS",
      description =
          "This machine's own address, at which the others reach it. Default: the one by which it"
              + " reaches the voter.")
  @Nullable String address;

  @Mixin Machine machine = new Machine();

  JoinVerb(Haven haven) {
    super(haven);
  }

  @Override
  Exit run() {
    var all = texts().stream().map(TokenText::of).toList();
    for (var token : all) {
      role(token);
      mustBeOurs(token);
    }
    var client = new JoinClient(voter, Clock.systemUTC());
    if (machine.dryRun) {
      all.forEach(token -> preview(token, client));
      haven.print("Dry run: nothing was asked and nothing was written.");
      return Exit.OK;
    }
    var own = address == null ? client.ownAddress() : address;
    Machine.mustBeHere(own);
    var files = new Installation(haven, false, machine.replace);
    files.directory(machine.etc, "rwxr-xr-x", Optional.empty());
    if (machine.replace) {
      all.forEach(token -> clear(files, token));
    }
    for (var token : all) {
      join(files, client, token, own);
    }
    return Exit.OK;
  }

  private List<String> texts() {
    if (!tokens.contains("-")) {
      return tokens;
    }
    var lines = new ArrayList<>(tokens);
    lines.remove("-");
    try (var in =
        new BufferedReader(new InputStreamReader(haven.around.in(), StandardCharsets.UTF_8))) {
      in.lines().filter(line -> !line.isBlank()).limit(8).forEach(lines::add);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return lines;
  }

  private static JoinToken.Role role(TokenText token) {
    try {
      return JoinToken.Role.valueOf(token.role().toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw new Stop(
          Exit.USAGE,
          "the token is that of a %s, which this haven does not know; is it older than the voters?"
              .formatted(token.role()));
    }
  }

  private static Role certified(JoinToken.Role role) {
    return role.votes() ? Role.VOTER : Role.HOST;
  }

  /** Before anything is asked: a token can be used once. */
  private void mustBeOurs(TokenText token) {
    if (machine.replace || !Files.exists(machine.ca())) {
      return;
    }
    try {
      if (!AuthorityFile.fingerprints(machine.ca()).contains(token.authority())) {
        throw new Stop(
            Exit.USAGE,
            "%s is that of another cluster than the token's; nothing was asked. If this machine has left that cluster, --replace moves its files away"
                .formatted(machine.ca()));
      }
    } catch (IOException e) {
      throw new Stop(Exit.USAGE, String.valueOf(e.getMessage()));
    }
  }

  private void preview(TokenText token, JoinClient client) {
    var role = role(token);
    haven.print("would ask for a certificate as %s %s".formatted(role.word(), machine.name()));
    var to = new ArrayList<Path>(List.of(machine.ca(), machine.key(certified(role))));
    to.add(machine.certificate(certified(role)));
    to.add(role.votes() ? machine.orchestratorYaml() : machine.agentYaml());
    if (role.votes()) {
      to.add(machine.secretsKey());
    }
    to.forEach(
        file ->
            haven.print(
                Files.exists(file)
                    ? machine.replace
                        ? "would move %s to %s.old, and write a new one".formatted(file, file)
                        : file + " is there already"
                    : "would write " + file));
  }

  private void clear(Installation files, TokenText token) {
    var role = role(token);
    var of = new ArrayList<Path>();
    try {
      if (Files.exists(machine.ca())
          && AuthorityFile.fingerprints(machine.ca()).contains(token.authority())) {
        return; // an earlier run of this very command
      }
    } catch (IOException e) {
      haven.say(String.valueOf(e.getMessage()));
    }
    of.add(machine.ca());
    of.add(machine.key(certified(role)));
    of.add(machine.certificate(certified(role)));
    if (role.votes()) {
      of.addAll(List.of(machine.secretsKey(), machine.voterData(), machine.orchestratorYaml()));
    } else {
      of.add(machine.agentYaml());
    }
    of.stream().filter(Files::exists).forEach(files::outOfTheWay);
  }

  private void join(Installation files, JoinClient client, TokenText token, String own) {
    var role = role(token);
    var as = certified(role);
    var owner = role.votes() ? Machine.HAVEN : Optional.<String>empty();
    var settings = role.votes() ? machine.orchestratorYaml() : machine.agentYaml();
    boolean known = Files.exists(machine.ca());
    if (!known && Files.exists(settings)) {
      files.outOfTheWay(settings); // says that it is in the way
    }
    boolean certified =
        known
            && files.certified(
                machine.ca(),
                machine.certificate(as),
                machine.key(as),
                new Peer(machine.name(), as));
    var key = files.key(machine.key(as), owner);
    if (certified && Files.exists(settings)) {
      haven.print("%s %s has its certificate already".formatted(role.word(), machine.name()));
    } else {
      var answer = client.ask(token, request(token, role, key, own, false), WITHIN);
      if (!(answer instanceof Join.Answer.Welcome welcome)) {
        throw new Stop(Exit.FAILED, "the voter's answer is none to this question: " + answer);
      }
      write(files, role, welcome, own, certified);
      haven.print(
          "%s %s has its certificate of cluster %s"
              .formatted(role.word(), machine.name(), welcome.cluster()));
    }
    if (role.votes()) {
      makeVoter(client, token, key, own, role);
    } else if (!machine.start(haven, "haven-agent")) {
      haven.print("Next: systemctl start haven-agent");
    }
  }

  private Join.Request request(
      TokenText token, JoinToken.Role role, KeyPair key, String own, boolean ready) {
    return new Join.Request(
        token.secret(),
        role,
        machine.name(),
        Base64.getEncoder().encodeToString(SigningRequest.make(key)),
        own,
        machine.networks(own),
        machine.apiPort,
        machine.raftPort,
        Clock.systemUTC().instant(),
        ready);
  }

  private void write(
      Installation files,
      JoinToken.Role role,
      Join.Answer.Welcome welcome,
      String own,
      boolean certified) {
    var as = certified(role);
    files.file(machine.ca(), welcome.authority(), false, Optional.empty());
    welcome
        .secretsKey()
        .ifPresent(text -> files.file(machine.secretsKey(), text, true, Machine.HAVEN));
    if (!certified) {
      files.file(
          machine.certificate(as),
          welcome.certificate(),
          false,
          role.votes() ? Machine.HAVEN : Optional.empty());
    }
    var voters = new ArrayList<VoterAddress>();
    welcome
        .voters()
        .forEach(v -> voters.add(new VoterAddress(v.name(), v.raft(), v.api(), v.networks())));
    if (role.votes()) {
      voters.removeIf(v -> v.name().equals(machine.name()));
      voters.add(machine.voter(own, role == JoinToken.Role.WITNESS));
    }
    var house =
        new Machine.House(welcome.cluster(), welcome.heartbeatPort(), welcome.joinPort(), voters);
    if (role.votes()) {
      files.directory(machine.data.resolve("haven"), "rwx------", Machine.HAVEN);
      files.settings(machine.orchestratorYaml(), machine.orchestratorYaml(house, own, false), true);
    } else {
      files.settings(machine.agentYaml(), machine.agentYaml(house, own), true);
    }
  }

  private void makeVoter(
      JoinClient client, TokenText token, KeyPair key, String own, JoinToken.Role role) {
    if (!machine.start(haven, "haven-orchestrator") && !listens(own)) {
      haven.print(
          "Next: systemctl start haven-orchestrator, and then run this command again: it makes the"
              + " voter a member");
      return;
    }
    try {
      var answer = client.ask(token, request(token, role, key, own, true), WITHIN);
      haven.print(answer instanceof Join.Answer.Member m ? m.message() : answer.toString());
    } catch (Stop e) {
      throw new Stop(
          e.exit(),
          "%s\nThe files are written. An operator can make it a member too: haven voter add %s%s --raft %s --api %s%s"
              .formatted(
                  e.text(),
                  machine.name(),
                  role == JoinToken.Role.WITNESS ? " --witness" : "",
                  Machine.place(own, machine.raftPort),
                  Machine.place(own, machine.apiPort),
                  String.join(
                      "",
                      machine.networks(own).stream()
                          .map(n -> " --network " + n.name() + "=" + n.address())
                          .toList())));
    }
  }

  /** Whether its orchestrator runs. */
  private boolean listens(String own) {
    var at = Settings.socketAddress(Machine.place(own, machine.raftPort));
    try (var socket = new Socket()) {
      socket.connect(new InetSocketAddress(at.getHostString(), at.getPort()), 2_000);
      return true;
    } catch (IOException e) {
      return false;
    }
  }
}
