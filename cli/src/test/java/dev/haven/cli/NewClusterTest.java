package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.bench.FreePorts;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Fingerprint;
import dev.haven.tls.TokenText;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** From machines with nothing to a cluster: real files, and orchestrators as processes. */
class NewClusterTest {
  @TempDir Path directory;
  private final List<Process> daemons = new ArrayList<>();
  private int api;
  private int raft;
  private int heartbeats;
  private int join;

  record Result(int exit, String out, String err) {
    String all() {
      return out + err;
    }
  }

  @BeforeEach
  void ports() throws IOException {
    var ports =
        Stream.generate(NewClusterTest::free)
            .distinct()
            .limit(4)
            .mapToInt(Integer::intValue)
            .toArray();
    api = ports[0];
    raft = ports[1];
    heartbeats = ports[2];
    join = ports[3];
  }

  private static int free() {
    try {
      return FreePorts.at("127.0.0.1");
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  @AfterEach
  void stop() throws InterruptedException {
    daemons.forEach(Process::destroyForcibly);
    for (var daemon : daemons) {
      daemon.waitFor();
    }
  }

  private Result haven(String typed, String... args) {
    var out = new ByteArrayOutputStream();
    var err = new ByteArrayOutputStream();
    int exit =
        Main.run(
            args,
            new Surroundings(
                new ByteArrayInputStream(typed.getBytes(StandardCharsets.UTF_8)),
                new PrintStream(out, false, StandardCharsets.UTF_8),
                new PrintStream(err, false, StandardCharsets.UTF_8),
                Map.of("HAVEN_CONFIG", directory.resolve("a/etc/cli.yaml").toString()),
                directory,
                false,
                false,
                false));
    return new Result(
        exit, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  /** On this machine, each of which has folders and an address of its own. */
  private Result on(String machine, String... args) {
    var all = new ArrayList<>(List.of(args));
    all.addAll(
        List.of(
            "--name=" + machine,
            "--directory=" + directory.resolve(machine).resolve("etc"),
            "--data=" + directory.resolve(machine).resolve("var"),
            "--run=" + directory.resolve(machine).resolve("run"),
            "--api-port=" + api,
            "--raft-port=" + raft));
    return haven("", all.toArray(String[]::new));
  }

  private Result init(String machine, String... more) {
    return on(
        machine,
        Stream.concat(
                Stream.of(
                    "init",
                    "testing",
                    "--address=127.0.0.1",
                    "--heartbeat-port=" + heartbeats,
                    "--join-port=" + join),
                Arrays.stream(more))
            .toArray(String[]::new));
  }

  private void startVoter(String machine) throws IOException {
    var log = directory.resolve(machine).resolve("log").toFile();
    daemons.add(
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                "dev.haven.orchestrator.Orchestrator",
                file(machine, "orchestrator.yaml").toString())
            .redirectErrorStream(true)
            .redirectOutput(log)
            .start());
  }

  private Path file(String machine, String name) {
    return directory.resolve(machine).resolve("etc").resolve(name);
  }

  private interface Condition {
    boolean holds() throws Exception;
  }

  private void until(Condition condition) throws Exception {
    var end = System.nanoTime() + TimeUnit.SECONDS.toNanos(120);
    while (!condition.holds()) {
      assertThat(System.nanoTime()).isLessThan(end);
      assertThat(daemons).allMatch(Process::isAlive);
      Thread.sleep(50);
    }
  }

  private List<String> tokens(String roles) throws Exception {
    var made = haven("", "token", "create", "--role", roles, "--timeout=60s");
    assertThat(made.err()).contains("lets one");
    assertThat(made.exit()).isZero();
    assertThat(made.out()).startsWith("haven join 127.0.0.1:" + join + " --token haven1.");
    return Arrays.stream(made.out().strip().split(" "))
        .filter(w -> w.startsWith("haven1"))
        .toList();
  }

  @Test
  void threeCommandsMakeAClusterOfTwoMachines() throws Exception {
    assertThat(init("a").all()).contains("haven token create --role voter,host");
    var caKey = directory.resolve("a/var/haven/ca.key");
    assertThat(Files.getPosixFilePermissions(caKey))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    startVoter("a");
    until(() -> !Files.exists(caKey)); // it stands in the log

    var tokens = tokens("voter,host");
    String[] join = {
      "join",
      "127.0.0.1:" + this.join,
      "--address=127.0.0.2",
      "--token=" + tokens.get(0),
      "--token=" + tokens.get(1)
    };
    var joined = on("b", join);
    assertThat(joined.err()).isEmpty();
    assertThat(joined.out())
        .contains("voter b has its certificate of cluster testing")
        .contains("systemctl start haven-orchestrator, and then run this command again")
        .contains("host b has its certificate of cluster testing");
    for (var key : List.of("voter-b.key", "b.key", "secrets.key")) {
      assertThat(Files.getPosixFilePermissions(file("b", key)))
          .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    }
    assertThat(file("b", "secrets.key")).hasSameTextualContentAs(file("a", "secrets.key"));
    assertThat(file("b", "ca.pem")).hasSameTextualContentAs(file("a", "ca.pem"));

    startVoter("b");
    until(() -> Files.readString(directory.resolve("b/log")).contains("serves"));
    assertThat(on("b", join).out())
        .contains("voter b has its certificate already")
        .contains("voter b is a member now");
    assertThat(haven("", "voter", "list").out()).contains("a ").contains("b ");
    assertThat(haven("", "host", "list").out()).contains("b ");
    assertThat(haven("", "token", "list").out()).containsPattern("voter +any +.* b\n");

    // by another machine, and later: the token is used
    var stolen =
        on(
            "c",
            "join",
            "127.0.0.1:" + this.join,
            "--address=127.0.0.3",
            "--token=" + tokens.get(0));
    assertThat(stolen.exit()).isEqualTo(Exit.REFUSED.code);
    assertThat(stolen.err()).contains("the token was used at").contains("by voter b");
    assertThat(directory.resolve("c/etc/voter-c.pem")).doesNotExist();

    // a machine that has left another cluster
    assertThat(init("c").exit()).isZero();
    var its = Files.readString(file("c", "ca.pem"));
    String[] moves = {
      "join",
      "127.0.0.1:" + this.join,
      "--address=127.0.0.3",
      "--token=" + tokens("host").getFirst()
    };
    assertThat(on("c", moves).err()).contains("is that of another cluster");
    var replacing = Arrays.copyOf(moves, moves.length + 1);
    replacing[moves.length] = "--replace";
    assertThat(on("c", replacing).out()).contains("host c has its certificate of cluster testing");
    assertThat(file("c", "ca.pem.old")).hasContent(its);
    assertThat(file("c", "agent.yaml")).content().contains("127.0.0.3").doesNotContain(".old");

    // what is on record can be revoked, and a voter that is a member is not
    assertThat(haven("", "ca", "list").out())
        .containsPattern("host +b +20.*-")
        .containsPattern("voter +b +20.*-");
    var voters = haven("", "ca", "revoke", file("b", "voter-b.pem").toString());
    assertThat(voters.exit()).isEqualTo(Exit.REFUSED.code);
    assertThat(voters.err()).contains("haven voter remove b");
    assertThat(haven("", "ca", "revoke", "nokey1").err()).contains("there is none on record");

    // what joined can work with its files
    assertThat(agentCheck("b")).isZero();
    assertThat(haven("", "ca", "revoke", file("b", "b.pem").toString()).out())
        .contains("of host b is revoked");
    assertThat(haven("", "ca", "list").out()).containsPattern("host +b +20.* 20");
  }

  private int agentCheck(String machine) throws Exception {
    var check =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "dev.haven.agent.Agent",
                "--check",
                file(machine, "agent.yaml").toString())
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("check").toFile())
            .start();
    daemons.add(check);
    check.waitFor();
    daemons.remove(check);
    return check.exitValue();
  }

  @Test
  void initRunAgainGoesOnAndOverwritesNothing() throws Exception {
    assertThat(init("a").exit()).isZero();
    var before = Files.readString(file("a", "ca.pem"));
    var key = Files.readString(file("a", "voter-a.key"));
    Files.delete(file("a", "orchestrator.yaml"));
    Files.delete(file("a", "voter-a.pem"));
    Files.writeString(file("a", "agent.yaml"), "mine\n");

    var again = init("a");
    assertThat(again.exit()).isZero();
    assertThat(again.err()).contains("agent.yaml is there already and left as it is");
    assertThat(file("a", "ca.pem")).hasContent(before);
    assertThat(file("a", "voter-a.key")).hasContent(key);
    assertThat(file("a", "voter-a.pem")).exists();
    assertThat(file("a", "orchestrator.yaml")).content().contains("name: \"a\"");

    Files.delete(directory.resolve("a/var/haven/ca.key")); // as a voter does
    assertThat(init("a").out()).contains("set up already; nothing was changed");
    Files.delete(file("a", "orchestrator.yaml"));
    assertThat(init("a").err()).contains("belongs to a cluster already").contains("--replace");

    assertThat(init("a", "--replace").exit()).isZero();
    assertThat(file("a", "ca.pem.old")).hasContent(before);
    assertThat(file("a", "ca.pem").toFile()).exists();
    assertThat(Files.readString(file("a", "ca.pem"))).isNotEqualTo(before);
  }

  @Test
  void whatInitWroteIsCheckedAndAMistakeInItIsToldWithItsPlace() throws Exception {
    init("a");
    var files = List.of("agent.yaml", "orchestrator.yaml", "cli.yaml");
    var check =
        Stream.concat(
                Stream.of("config", "check"), files.stream().map(f -> file("a", f).toString()))
            .toArray(String[]::new);
    var right = haven("", check);
    assertThat(right.all())
        .contains("haven-agent would start with it")
        .contains("haven-orchestrator would start with it");
    assertThat(right.exit()).isZero();

    var agent = file("a", "agent.yaml");
    Files.writeString(agent, Files.readString(agent).replace("voters:", "voter:"));
    Files.delete(file("a", "voter-a.key"));
    var wrong = haven("", check);
    assertThat(wrong.exit()).isEqualTo(Exit.USAGE.code);
    assertThat(wrong.out())
        .containsPattern("agent.yaml:\\d+:\\d+: .*voter.*voters")
        .contains("voter-a.key")
        .contains("cli.yaml: haven would start with it");
    assertThat(haven("", "config", "check", agent.toString(), "-ojson").out())
        .contains("\"as\" : \"agent\"")
        .contains("\"wrong\"");
    assertThat(haven("", "config", "check", "settings.yaml").err()).contains("--as agent");
  }

  /** The disk was full, or the power went, after the file was made and before it had its text. */
  @Test
  void aFileThatWasHalfWrittenIsNoFile() throws Exception {
    Files.createDirectories(file("a", "x").getParent());
    Files.writeString(file("a", "secrets.key.new"), "0123");
    Files.writeString(file("a", "ca.pem.new"), "-----BEGIN");
    assertThat(init("a").exit()).isZero();
    assertThat(Files.readString(file("a", "secrets.key")).strip()).matches("[0-9a-f]{64}");
    assertThat(file("a", "secrets.key.new")).doesNotExist();
    assertThat(Files.getPosixFilePermissions(file("a", "secrets.key")))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
  }

  @Test
  void theCommandThatDescribesTheFirstHostHasTheRolesOfItsNetworks() throws Exception {
    assertThat(init("a", "--network=control=127.0.0.1", "--network=st=127.0.0.2:migration").out())
        .contains("--network control=127.0.0.1 --network st=127.0.0.2:migration");
  }

  @Test
  void aVotersLogOfAnEarlierClusterIsNotTakenOver() throws Exception {
    Files.createDirectories(directory.resolve("a/var/haven/voter"));
    Files.writeString(directory.resolve("a/var/haven/voter/identity"), "x");
    var refused = init("a");
    assertThat(refused.exit()).isEqualTo(Exit.USAGE.code);
    assertThat(refused.err()).contains("holds the log of a voter of an earlier cluster");
    assertThat(file("a", "ca.pem")).doesNotExist();
  }

  @Test
  void aDryRunWritesNothing() throws Exception {
    var would = init("a", "--dry-run");
    assertThat(would.exit()).isZero();
    assertThat(would.out())
        .contains("would make a certificate authority")
        .contains("orchestrator.yaml")
        .contains("Dry run");
    assertThat(directory.resolve("a")).doesNotExist();
    var token = TokenText.create("voter", Fingerprint.of(new byte[1])).text();
    var join = on("b", "join", "127.0.0.1", "--token=" + token, "--dry-run");
    assertThat(join.exit()).isZero();
    assertThat(join.out()).contains("would ask for a certificate as voter b");
    assertThat(directory.resolve("b")).doesNotExist();
  }

  @Test
  void aMachineOfAnotherClusterIsLeftAsItIs() throws Exception {
    init("a");
    var other = CertificateAuthority.create();
    var token = TokenText.create("host", other.fingerprint()).text();
    var refused = on("a", "join", "127.0.0.1:" + join, "--token=" + token);
    assertThat(refused.exit()).isEqualTo(Exit.USAGE.code);
    assertThat(refused.err()).contains("is that of another cluster").contains("nothing was asked");
  }

  @Test
  void whatIsNoTokenAndWhoDoesNotAnswerIsSaid() {
    assertThat(on("b", "join", "127.0.0.1", "--token=secret").err())
        .contains("this is no token")
        .contains("haven token create");
    var text = TokenText.create("host", Fingerprint.of(new byte[1])).text();
    assertThat(on("b", "join", "127.0.0.1", "--token=" + text.substring(0, 60)).err())
        .contains("not copied whole");
    var silent = on("b", "join", "127.0.0.1:" + join, "--token=" + text);
    assertThat(silent.exit()).isEqualTo(Exit.UNREACHABLE.code);
    assertThat(silent.err()).contains("only while a token is out");
    assertThat(directory.resolve("b")).doesNotExist();
    var far = on("b", "init", "--address=203.0.113.9");
    assertThat(far.err()).contains("203.0.113.9 is no address of this machine");
  }

  @Test
  void aTokenIsReadFromStdinOutOfSightOfOthers() {
    var text = TokenText.create("host", Fingerprint.of(new byte[1])).text();
    var asked =
        haven(text + "\n", "join", "127.0.0.1:" + join, "--token=-", "--name=b", "--dry-run");
    assertThat(asked.out()).contains("would ask for a certificate as host b");
  }
}
