package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import dev.haven.bench.FreePorts;
import dev.haven.model.AgentPing;
import dev.haven.model.GuestHealth;
import dev.haven.model.HealthCheck;
import dev.haven.model.Json;
import dev.haven.model.RestartLimits;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.Views;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each verb against a voter with mutual TLS, as a person or a script meets it. */
class CliTest {
  @TempDir Path directory;
  private CannedCluster cluster;

  record Result(int exit, String out, String err) {}

  @BeforeEach
  void start() throws IOException {
    cluster = CannedCluster.start(directory);
  }

  @AfterEach
  void stop() {
    cluster.close();
  }

  private Result haven(String... args) {
    return haven(false, "", args);
  }

  /** With longer and longer limits until it says this: a busy machine shakes hands slowly. */
  private Result until(String said, String... args) {
    var result = new Result(-1, "", "");
    for (var limit : List.of("300ms", "1s", "3s", "10s")) {
      var all = new ArrayList<>(List.of(args));
      all.addAll(List.of("--timeout", limit));
      result = haven(all.toArray(String[]::new));
      if (result.err().contains(said)) {
        break;
      }
    }
    return result;
  }

  private Result haven(boolean terminal, String typed, String... args) {
    var out = new ByteArrayOutputStream();
    var err = new ByteArrayOutputStream();
    int exit =
        Main.run(
            args,
            new Surroundings(
                new ByteArrayInputStream(typed.getBytes(StandardCharsets.UTF_8)),
                new PrintStream(out, false, StandardCharsets.UTF_8),
                new PrintStream(err, false, StandardCharsets.UTF_8),
                Map.of(
                    "HAVEN_CONFIG",
                    directory.resolve("cli.yaml").toString(),
                    "HAVEN_LAB",
                    directory.resolve("lab").toString(),
                    "COLUMNS",
                    "100"),
                directory,
                terminal,
                terminal,
                terminal));
    return new Result(
        exit, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }

  private Command sent() {
    return request().command();
  }

  private CommandRequest request() {
    var last = cluster.requests.stream().filter(r -> r.method().equals("POST")).toList().getLast();
    return Json.read(last.body(), CommandRequest.class);
  }

  @Test
  void statusShowsHostsGuestsAndThatAllIsWell() {
    cluster.on("GET /v1/status", Samples.status());
    var result = haven("status");
    assertThat(result.exit()).isZero();
    assertThat(result.out())
        .contains("Cluster lab: led by a, term 4")
        .contains("Redundant")
        .containsPattern("a +online +just now +8 GiB +25 % +2 on 4 +1 +ipmi answers")
        .containsPattern("web +running +a +2 GiB +2 +10");
    assertThat(result.out()).doesNotContain("\u001b");
  }

  @Test
  void statusSaysWhatIsWaitedForAndCheckEndsWith5() {
    cluster.on("GET /v1/status", Samples.troubled());
    var result = haven("status", "--check");
    assertThat(result.exit()).isEqualTo(5);
    assertThat(result.out())
        .contains("CRITICAL host c: is silent and its fencing device does not answer (since 1 min ")
        .contains("Not redundant: one more voter lost stops the cluster")
        .contains("c: its device ipmi does not answer; waits for haven fence c --confirm-dead")
        .containsPattern("op-17 +migrate +web +running +25 %");
    assertThat(haven("status").exit()).isZero();
  }

  @Test
  void colorsComeOnATerminalAndNeverWithNoColor() {
    cluster.on("GET /v1/status", Samples.troubled());
    assertThat(haven(true, "", "status").out()).contains("\u001b[31mCRITICAL");
    assertThat(haven(true, "", "status", "--no-color").out()).doesNotContain("\u001b");
  }

  @Test
  void tablesFitTheTerminal() {
    cluster.on("GET /v1/status", Samples.troubled());
    var lines = haven(true, "", "--no-color", "op", "list").out().lines().toList();
    cluster.on(
        "GET /v1/operations",
        List.of(Samples.operation("op-1", "done"), Samples.operation("op-2", "running")));
    lines = haven(true, "", "--no-color", "op", "list").out().lines().toList();
    assertThat(lines).hasSize(3).allMatch(line -> line.length() <= 100);
  }

  @Test
  void jsonIsWhatTheVoterSaid() throws IOException {
    cluster.on("GET /v1/status", Samples.status());
    var result = haven("status", "-o", "json");
    assertThat(Json.mapper().readTree(result.out()))
        .isEqualTo(Json.mapper().readTree(Json.text(Samples.status())));
    assertThat(haven("-o", "yaml", "status").out()).contains("cluster: lab");
  }

  @Test
  void migrateWaitsUntilTheGuestHasMoved() {
    var polls = new AtomicInteger();
    cluster
        .on("POST /v1/commands", Samples.begun("op-17"))
        .on(
            "GET /v1/operations/op-17",
            _ ->
                new CannedCluster.Response(
                    200,
                    Samples.operation("op-17", polls.incrementAndGet() < 3 ? "running" : "done")));
    var result = haven("migrate", "web", "--to", "b");
    assertThat(result.exit()).isZero();
    assertThat(result.out()).contains("web moves from a to b").contains("op-17 done in");
    assertThat(sent().toString()).contains("Migrate").contains("web").contains("b");
  }

  @Test
  void anOperationThatFailsEndsWith1AndItsReason() {
    cluster
        .on("POST /v1/commands", Samples.begun("op-17"))
        .on("GET /v1/operations/op-17", Samples.operation("op-17", "failed"));
    var result = haven("evacuate", "a");
    assertThat(result.exit()).isEqualTo(1);
    assertThat(result.err()).contains("op-17 (migrate web) failed");
  }

  @Test
  void noWaitReturnsTheNameOfTheOperation() {
    cluster.on("POST /v1/commands", Samples.begun("op-17"));
    var result = haven("evacuate", "a", "--no-wait");
    assertThat(result.exit()).isZero();
    assertThat(result.out()).contains("haven op wait op-17");
    assertThat(cluster.requests).hasSize(1);
  }

  @Test
  void dryRunShowsThePlanAndWaitsForNothing() {
    cluster.on("POST /v1/commands", Samples.begun("op-17"));
    var result = haven("evacuate", "a", "--dry-run");
    assertThat(result.out()).contains("  move web to b").contains("Dry run: nothing was changed.");
    assertThat(request().dryRun()).isTrue();
    assertThat(cluster.requests).hasSize(1);
  }

  @Test
  void whatTheClusterRefusesEndsWith4AndItsReason() {
    cluster.on("POST /v1/commands", 404, Samples.refused("guest wbe: there is none; meant web?"));
    var result = haven("guest", "start", "wbe");
    assertThat(result.exit()).isEqualTo(4);
    assertThat(result.err()).isEqualTo("haven: guest wbe: there is none; meant web?\n");
  }

  @Test
  void aVoterThatDoesNotLeadSaysWhoDoesAndTheLeaderIsAskedWithTheSameCertificate()
      throws IOException {
    try (var leader = CannedCluster.start(directory)) {
      cluster.configure(cluster.address());
      cluster.on("POST /v1/commands", 307, "https://%s/v1/commands".formatted(leader.address()));
      leader.on("POST /v1/commands", Samples.accepted("host a is cordoned"));
      var result = haven("cordon", "a");
      assertThat(result.exit()).as(result.err()).isZero();
      assertThat(leader.requests.getFirst().body()).isEqualTo(cluster.requests.getFirst().body());
      assertThat(leader.requests.getFirst().body()).contains("Cordon");
    }
  }

  @Test
  void aVoterThatNamesNoAddressOfALeaderIsNotFollowed() {
    for (var where : List.of("http://127.0.0.1:1/v1/status", "file:///etc/passwd", "https://[")) {
      cluster.on("GET /v1/status", 307, where);
      var result = until("which is no address", "status");
      assertThat(result.err()).contains("which is no address");
      assertThat(result.exit()).isEqualTo(3);
    }
  }

  /** A stolen key at an address where a voter was: a command may have passwords in it. */
  @Test
  void whoHasOnlyAHostsKeyIsToldNothingWhereAVoterIsLookedFor() throws IOException {
    try (var thief = CannedCluster.startWithAHostsKey(directory)) {
      thief.on("POST /v1/commands", Samples.accepted("host a is cordoned"));
      var noVoter = "does not permit use for TLS server authentication";
      var asked = until(noVoter, "cordon", "a");
      assertThat(asked.err()).contains(noVoter);
      assertThat(asked.exit()).isEqualTo(3);
      cluster.configure(cluster.address());
      cluster.on("POST /v1/commands", 307, "https://%s/v1/commands".formatted(thief.address()));
      var sentOn = until(noVoter, "cordon", "a");
      assertThat(sentOn.err()).contains(noVoter);
      assertThat(sentOn.exit()).isEqualTo(3);
      assertThat(thief.requests).isEmpty();
    }
  }

  @Test
  void aViewOfSomethingUnknownEndsWith4() {
    cluster.on("GET /v1/guests/wbe", 404, new Views.Problem("guest wbe: there is none"));
    var result = haven("guest", "show", "wbe");
    assertThat(result.exit()).isEqualTo(4);
    assertThat(result.err()).isEqualTo("haven: guest wbe: there is none\n");
  }

  @Test
  void aRequestIsSentAgainUnderTheSameNameUntilThereIsALeader() {
    var tries = new AtomicInteger();
    cluster.on(
        "POST /v1/commands",
        _ ->
            tries.incrementAndGet() < 3
                ? new CannedCluster.Response(503, new Views.Problem("no leader yet"))
                : new CannedCluster.Response(200, Samples.accepted("host a is cordoned")));
    var result = haven("cordon", "a");
    assertThat(result.exit()).isZero();
    assertThat(
            cluster.requests.stream()
                .map(r -> Json.read(r.body(), CommandRequest.class).request())
                .distinct())
        .hasSize(1);
    assertThat(cluster.requests).hasSize(3);
  }

  @Test
  void aDeadVoterIsPassedOver() throws IOException {
    cluster.on("GET /v1/status", Samples.status());
    cluster.configure(unusedAddress(), cluster.address());
    assertThat(haven("status").exit()).isZero();
  }

  @Test
  void anUnreachableClusterEndsWith3AndNamesEveryVoterAndWhy() throws IOException {
    var first = unusedAddress();
    cluster.on("GET /v1/status", 503, new Views.Problem("no leader: 1 of 3 voters is up"));
    cluster.configure(first, cluster.address());
    var result = haven("status", "--timeout", "3s");
    assertThat(result.exit()).isEqualTo(3);
    assertThat(result.err())
        .contains("no voter answered within 3 s")
        .contains(first + ": connection refused")
        .contains(cluster.address() + ": no leader: 1 of 3 voters is up");
  }

  @Test
  void aChangeWhoseAnswerIsLostIsCalledUnknown() {
    cluster.on("POST /v1/commands", 500, new Views.Problem("the disk is gone"));
    var result = until("may have been done or not", "cordon", "a");
    assertThat(result.err()).contains("may have been done or not").contains("haven op list");
    assertThat(result.exit()).isEqualTo(6);
  }

  @Test
  void aVoterThatHangsDoesNotHoldUpTheOthers() throws IOException {
    cluster.on("GET /v1/status", Samples.status());
    try (var hung = new ServerSocket(0)) {
      cluster.configure("127.0.0.1:" + hung.getLocalPort(), cluster.address());
      assertThat(haven("status").exit()).isZero();
    }
  }

  @Test
  void anotherClustersCertificateIsSaidAtOnce() throws IOException {
    var other = Files.createDirectory(directory.resolve("other"));
    try (var stranger = CannedCluster.start(other)) {
      cluster.configure(stranger.address());
      var result = haven("status");
      assertThat(result.exit()).isEqualTo(3);
      assertThat(result.err())
          .contains(stranger.address())
          .contains("its certificate is not from the authority in our configuration");
    }
  }

  @Test
  void aCertificateForAnotherAddressIsNotTalkedTo() throws IOException {
    cluster.on("POST /v1/commands", Samples.accepted("host a is cordoned"));
    cluster.configure(cluster.address().replace("127.0.0.1", "localhost"));
    var result = haven("cordon", "a");
    assertThat(result.exit()).isEqualTo(3);
    assertThat(result.err()).contains("its certificate is for another address");
    assertThat(cluster.requests).isEmpty();
  }

  @Test
  void aHostThatRefusesOurCertificateIsNamed() throws IOException {
    var other = Files.createDirectory(directory.resolve("other"));
    try (var stranger = CannedCluster.start(other)) {
      Files.writeString(
          directory.resolve("cli.yaml"),
          """
          voters: ["%s"]
          tls: {ca: other/ca/ca.pem, certificate: both.pem, key: admin/admin.key}
          """
              .formatted(stranger.address()));
      // trusts the stranger, and shows it a certificate that the stranger does not trust
      Files.writeString(
          directory.resolve("both.pem"), Files.readString(directory.resolve("admin/admin.pem")));
      Files.writeString(
          directory.resolve("other/ca/ca.pem"),
          Files.readString(directory.resolve("other/ca/ca.pem"))
              + Files.readString(directory.resolve("ca/ca.pem")));
      var result = haven("status");
      assertThat(result.exit()).isEqualTo(3);
      assertThat(result.err()).contains("refuses our certificate");
    }
  }

  @Test
  void aMistypedConfigurationIsToldWithFileLineAndKeys() throws IOException {
    Files.writeString(directory.resolve("cli.yaml"), "voters: [a]\ntlss: {}\n");
    var result = haven("status");
    assertThat(result.exit()).isEqualTo(2);
    assertThat(result.err())
        .contains("cli.yaml:2:1: unknown key 'tlss', perhaps 'tls'")
        .contains("voters, tls");
  }

  @Test
  void withoutAConfigurationItSaysWhereItLooked() {
    var err = new ByteArrayOutputStream();
    int exit =
        Main.run(
            new String[] {"status"},
            new Surroundings(
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(new ByteArrayOutputStream(), false, StandardCharsets.UTF_8),
                new PrintStream(err, false, StandardCharsets.UTF_8),
                Map.of("HOME", directory + "/nobody", "HAVEN_LAB", directory + "/lab"),
                directory,
                false,
                false,
                false));
    assertThat(exit).isEqualTo(2);
    assertThat(err.toString(StandardCharsets.UTF_8))
        .contains("/nobody/.config/haven/cli.yaml")
        .contains("/etc/haven/cli.yaml");
  }

  @Test
  void confirmingADeadHostNeedsTheSentence() {
    cluster.on("POST /v1/commands", Samples.accepted("host a counts as off"));
    var wrong = haven(true, "yes\n", "fence", "a", "--confirm-dead");
    assertThat(wrong.exit()).isEqualTo(2);
    assertThat(cluster.requests).isEmpty();

    var right = haven(true, "host a is off and stays off\n", "fence", "a", "--confirm-dead");
    assertThat(right.exit()).isZero();
    assertThat(right.err()).contains("Your word is the only proof");
    assertThat(sent()).isInstanceOf(Command.ConfirmDead.class);

    var nobody = haven("fence", "a", "--confirm-dead");
    assertThat(nobody.exit()).isEqualTo(2);
    assertThat(nobody.err()).contains("--sentence 'host a is off and stays off'");

    var script = haven("fence", "a", "--confirm-dead", "--sentence", "host a is off and stays off");
    assertThat(script.exit()).isZero();
  }

  @Test
  void fencingAsksFirst() {
    cluster.on("POST /v1/commands", Samples.accepted("host a is being fenced"));
    assertThat(haven(true, "n\n", "fence", "a").exit()).isEqualTo(4);
    assertThat(cluster.requests).isEmpty();
    assertThat(haven("fence", "a", "--yes").exit()).isZero();
    assertThat(sent()).isInstanceOf(Command.Fence.class);
  }

  @Test
  void aGuestFromXmlTakesItsSizeFromThere() throws IOException {
    cluster.on("POST /v1/commands", Samples.accepted("guest web starts"));
    Files.writeString(directory.resolve("web.xml"), Samples.XML);
    var result =
        haven(
            "guest",
            "create",
            "web",
            "--xml",
            "web.xml",
            "--priority",
            "7",
            "--label",
            "app=shop",
            "--rule",
            "prefer-apart:app=shop",
            "--no-start");
    assertThat(result.err()).isEmpty();
    var created = (Command.CreateGuest) sent();
    assertThat(created.start()).isFalse();
    assertThat(created.guest().memoryMib()).isEqualTo(2048);
    assertThat(created.guest().vcpus()).isEqualTo(2);
    assertThat(created.guest().uuid()).isEqualTo("6b1f3a52-6f0e-4d0e-9d8a-0d6d1f3c1a11");
    assertThat(created.guest().rules().getFirst().strict()).isFalse();
  }

  @Test
  void aGuestFromATemplateIsRenderedAndItsFaultsNamed() {
    cluster.on("POST /v1/commands", Samples.accepted("guest web starts"));
    var result =
        haven(
            "guest",
            "create",
            "web",
            "--template",
            "kvm-linux",
            "--memory",
            "2GiB",
            "--cpus",
            "2",
            "--disk",
            "/srv/web.qcow2,format=qcow2",
            "--network",
            "bridge=br0");
    assertThat(result.err()).isEmpty();
    var created = ((Command.CreateGuest) sent()).guest();
    assertThat(created.memoryMib()).isEqualTo(2048);
    assertThat(created.domainXml()).contains("/srv/web.qcow2").contains("br0");

    var unknown =
        haven("guest", "create", "web", "--template", "kvm", "--memory", "1GiB", "--cpus", "1");
    assertThat(unknown.exit()).isEqualTo(2);
    assertThat(unknown.err()).contains("template 'kvm' is unknown; there are kvm-linux");

    assertThat(
            haven(
                    "guest",
                    "create",
                    "web",
                    "--template",
                    "kvm-linux",
                    "--memory",
                    "2",
                    "--cpus",
                    "1")
                .err())
        .contains("use 2MiB or 2GiB");

    var wrongDisk =
        haven(
            "guest",
            "create",
            "web",
            "--template",
            "kvm-linux",
            "--memory",
            "1GiB",
            "--cpus",
            "1",
            "--disk",
            "/srv/web.qcow2,fromat=qcow2");
    assertThat(wrongDisk.exit()).isEqualTo(2);
    assertThat(wrongDisk.err()).contains("fromat");

    assertThat(haven("guest", "create", "web", "--template", "kvm-linux").err())
        .contains("--memory");
  }

  @Test
  void withoutALabTheLabVerbsSayHowToMakeOne() {
    var result = haven("lab", "status");
    assertThat(result.exit()).isEqualTo(1);
    assertThat(result.err()).contains("haven lab up makes one");
    assertThat(haven("lab", "down").exit()).isZero();
  }

  @Test
  void brokenXmlIsToldWithItsLine() throws IOException {
    Files.writeString(directory.resolve("web.xml"), "<domain>\n<name>web</nam>\n</domain>");
    var result = haven("guest", "create", "web", "--xml", "web.xml");
    assertThat(result.exit()).isEqualTo(2);
    assertThat(result.err()).contains("web.xml, line 2");
  }

  @Test
  void editingChangesOnlyWhatWasNamed() {
    cluster
        .on(
            "GET /v1/guests/web",
            new Views.GuestDetail(Samples.guest("web", "running", "a"), Samples.spec(), List.of()))
        .on("POST /v1/commands", Samples.accepted("guest web was changed"));
    assertThat(haven("guest", "edit", "web", "--memory", "4GiB", "-l", "app=").err()).isEmpty();
    var edited = ((Command.EditGuest) sent()).guest();
    assertThat(edited.memoryMib()).isEqualTo(4096);
    assertThat(edited.domainXml()).contains("<memory unit=\"MiB\">4096</memory>");
    assertThat(edited.labels()).isEmpty();
    assertThat(edited.rules()).isEqualTo(Samples.spec().rules());
  }

  @Test
  void whatFollowsWhenAGuestEndsOrHangsIsSaidByOptionsAndShown() {
    cluster
        .on(
            "GET /v1/guests/web",
            new Views.GuestDetail(
                Samples.guest("web", "running", "a"),
                Samples.spec(),
                List.of(),
                Optional.of(
                    new GuestHealth(GuestHealth.Verdict.UNHEALTHY, "its guest agent is silent"))))
        .on("POST /v1/commands", Samples.accepted("guest web was changed"));
    assertThat(
            haven(
                    "guest",
                    "edit",
                    "web",
                    "--restarts",
                    "in-place=1,within=1h,after-power-off=yes",
                    "--health",
                    "guest-agent,period=20s",
                    "--unhealthy",
                    "restart")
                .err())
        .isEmpty();
    var edited = ((Command.EditGuest) sent()).guest();
    assertThat(edited.restarts()).contains(new RestartLimits(1, Duration.ofHours(1), 2, true));
    assertThat(edited.health())
        .contains(new HealthCheck(Optional.of(new AgentPing(Duration.ofSeconds(20), 3)), true));
    assertThat(haven("guest", "show", "web").out())
        .contains("unhealthy: its guest agent is silent")
        .contains("without limit");
    assertThat(haven("guest", "edit", "web", "--health", "guest-agent,every=1s").err())
        .contains("'every=1s' is unknown; known are period=, misses=");
  }

  @Test
  void aHostIsDescribedByOptions() {
    cluster.on("POST /v1/commands", Samples.accepted("host d joined"));
    var result =
        haven(
            "host",
            "add",
            "d",
            "--network",
            "control=10.0.1.4",
            "--network",
            "fast=10.0.2.4:migration,replication",
            "--fencing",
            "ipmi=ipmi,address=10.0.9.4,user=haven,passwordFile=/etc/haven/d.bmc",
            "--fencing",
            "2/ask=manual",
            "--reserve",
            "2GiB");
    assertThat(result.err()).isEmpty();
    var host = ((Command.AddHost) sent()).host();
    assertThat(host.fencing()).hasSize(2);
    assertThat(host.fencing().getFirst().getFirst().settings()).containsEntry("user", "haven");
    assertThat(host.networks().getLast().roles()).hasSize(2);
    assertThat(host.memoryReserveMib()).isEqualTo(2048);
  }

  @Test
  void aPasswordOnTheCommandLineIsRefused() {
    var result = haven("host", "add", "d", "--fencing", "ipmi=ipmi,password=secret");
    assertThat(result.exit()).isEqualTo(2);
    assertThat(result.err()).contains("passwordFile").doesNotContain("secret");
    assertThat(cluster.requests).isEmpty();
  }

  @Test
  void eventsAreShownAndFollowed() {
    cluster
        .on(
            "GET /v1/events",
            request ->
                new CannedCluster.Response(
                    200,
                    request.path().contains("since=0&")
                        ? List.of(
                            Samples.event(1, "web", "web starts on a"),
                            Samples.event(2, "db", "db starts on b"))
                        : List.of()))
        .on(
            "GET /v1/events/stream",
            _ ->
                new CannedCluster.Response(
                    200, "id: 3\ndata: " + Json.text(Samples.event(3, "c", "is silent")) + "\n\n"));
    var result = haven("events", "--subject", "web");
    assertThat(result.out()).contains("web starts on a").doesNotContain("db");

    var thread = new java.util.concurrent.atomic.AtomicReference<Result>();
    var following =
        Thread.ofPlatform().start(() -> thread.set(haven("events", "--follow", "--since", "1")));
    awaitRequests("GET", "/v1/events/stream?since=3", 1);
    following.interrupt();
    try {
      following.join(5000);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    assertThat(thread.get().out()).contains("is silent");
    assertThat(thread.get().exit()).isEqualTo(130);
  }

  private void awaitRequests(String method, String path, int count) {
    var end = System.nanoTime() + 60_000_000_000L;
    while (cluster.requests.stream()
            .filter(r -> r.method().equals(method) && r.path().equals(path))
            .count()
        < count) {
      if (System.nanoTime() > end) {
        throw new AssertionError("no " + method + " " + path + " in " + cluster.requests);
      }
      Thread.onSpinWait();
    }
  }

  @Test
  void votersComeAndGo() {
    cluster
        .on("GET /v1/voters", Samples.status().voters())
        .on("POST /v1/voters", Samples.voter("d", false))
        .on("DELETE /v1/voters/c", Map.of());
    assertThat(haven("voter", "list").out())
        .containsPattern("a +10.77.1.1:7702 +10.77.1.1:7700 +leader");
    assertThat(
            haven(
                    "voter",
                    "add",
                    "d",
                    "--raft",
                    "10.0.0.4:7702",
                    "--api",
                    "10.0.0.4:7700",
                    "--network",
                    "control=10.0.0.4")
                .out())
        .contains("voter d was added");
    assertThat(haven("voter", "remove", "c", "--yes").out()).contains("voter c was removed");
    assertThat(haven("voter", "remove", "x", "--yes").err()).contains("the voters are a, b, c");
  }

  @Test
  void certificatesAreMadeWithoutACluster() {
    assertThat(haven("ca", "init", "new-ca").exit()).isZero();
    assertThat(haven("ca", "issue", "d", "--ca", "new-ca", "--role", "voter", "--out", "d").err())
        .contains("--address");
    assertThat(haven("ca", "issue", "d", "--ca", "new-ca", "--out", "d").exit()).isZero();
    assertThat(directory.resolve("d/d.pem")).exists();
    assertThat(
            haven(
                    "ca",
                    "issue",
                    "d",
                    "--role",
                    "voter",
                    "--ca",
                    "new-ca",
                    "--address",
                    "10.0.0.4",
                    "--out",
                    "d")
                .exit())
        .isZero();
    assertThat(directory.resolve("d/voter-d.pem")).exists();
    assertThat(haven("ca", "init", "new-ca").exit()).isEqualTo(1);
  }

  @Test
  void aMistypedVerbIsMetWithASuggestion() {
    var result = haven("stauts");
    assertThat(result.exit()).isEqualTo(2);
    assertThat(result.err()).contains("status");
    assertThat(haven("guest", "strat", "web").err()).contains("start");
    assertThat(haven("migrate").err()).contains("GUEST").contains("haven migrate --help");
    assertThat(haven("status", "--timeout", "soon").err()).contains("'soon' is no time span");
    assertThat(haven("guest", "start", "no/slash").exit()).isEqualTo(2);
  }

  @Test
  void everyVerbHasHelpAndEveryChangeADryRun() {
    var lines = new ArrayList<String>();
    collect(
        Main.tree(new Haven(Surroundings.ofThisProcess(System.out, System.err)), List.of()), lines);
    assertThat(lines).hasSizeGreaterThan(25);
    for (var path : lines) {
      var args = new ArrayList<>(List.of(path.split(" ")).subList(1, path.split(" ").length));
      args.add("--help");
      var result = haven(args.toArray(String[]::new));
      assertThat(result.exit()).as(path).isZero();
      assertThat(result.out()).as(path).contains("Usage: " + path);
    }
  }

  private static void collect(picocli.CommandLine line, List<String> into) {
    into.add(line.getCommandSpec().qualifiedName());
    // picocli formats these: of a lone % it complains on the operator's terminal
    var usage = line.getCommandSpec().usageMessage();
    for (var texts : List.of(usage.header(), usage.description(), usage.footer())) {
      for (var text : texts) {
        assertThatCode(() -> String.format(text)).as(text).doesNotThrowAnyException();
      }
    }
    line.getSubcommands().values().forEach(sub -> collect(sub, into));
    var user = line.getCommandSpec().userObject();
    if (user instanceof Verb.Changing) {
      assertThat(line.getCommandSpec().findOption("--dry-run")).isNotNull();
    }
  }

  /** A new operator wants a line to copy, and the defaults. */
  @Test
  void everyVerbThatTakesSomethingShowsAnExampleAndItsDefaults() {
    var lacks = new ArrayList<String>();
    wanting(
        Main.tree(new Haven(Surroundings.ofThisProcess(System.out, System.err)), List.of()), lacks);
    assertThat(lacks).isEmpty();
  }

  private static void wanting(picocli.CommandLine line, List<String> lacks) {
    var spec = line.getCommandSpec();
    line.getSubcommands().values().forEach(sub -> wanting(sub, lacks));
    if (line.getSubcommands().isEmpty()
        && !spec.positionalParameters().isEmpty()
        && !String.join("\n", spec.usageMessage().footer()).contains("Example")) {
      lacks.add(spec.qualifiedName() + ": has no example");
    }
    for (var option : spec.options()) {
      var text = String.join(" ", option.description());
      if (List.of("N", "S", "TIME").contains(option.paramLabel())
          && !text.contains("efault: ")
          && !text.startsWith("With ")
          && !List.of("--cpus").contains(option.longestName())) { // one must be given
        lacks.add(spec.qualifiedName() + " " + option.longestName() + ": has no default");
      }
      if (text.isBlank() || text.startsWith("Default")) {
        lacks.add(spec.qualifiedName() + " " + option.longestName() + ": does not say what it is");
      }
    }
  }

  /** The list of rules stands twice: once in messages, once in lines of help. */
  @Test
  void helpNamesEveryKindOfRule() {
    var help = haven("guest", "create", "--help").out();
    assertThat(
            java.util.regex.Pattern.compile("\\b([a-z]+):[A-Zy]")
                .matcher(dev.haven.model.RuleText.HELP)
                .results()
                .map(kind -> kind.group(1) + ":"))
        .contains("apart:", "partial:")
        .allSatisfy(kind -> assertThat(help).contains(kind));
  }

  @Test
  void helpNamesTheExitCodes() {
    assertThat(haven("--help").out()).contains("3").contains("no voter answered").contains("130");
    assertThat(haven("--version").out()).startsWith("haven 0.");
  }

  @Test
  void theCompletionScriptIsOneThatBashAccepts() throws Exception {
    var script = haven("completion", "bash").out();
    var file = Files.writeString(directory.resolve("completion"), script);
    var bash = new ProcessBuilder("bash", "-n", file.toString()).redirectErrorStream(true).start();
    assertThat(new String(bash.getInputStream().readAllBytes(), StandardCharsets.UTF_8)).isEmpty();
    assertThat(script).contains("evacuate").contains("--dry-run");
  }

  @Test
  void interruptedWhileWaitingItSaysThatTheOperationGoesOn() throws Exception {
    cluster
        .on("POST /v1/commands", Samples.begun("op-17"))
        .on("GET /v1/operations/op-17", Samples.operation("op-17", "running"));
    var output =
        interrupted(() -> awaitRequests("GET", "/v1/operations/op-17", 2), "migrate", "web");
    assertThat(output)
        .contains("web moves from a to b")
        .contains("op-17 goes on without us; see it with: haven op wait op-17");
  }

  @Test
  void interruptedBeforeTheAnswerItSaysThatNobodyKnows() throws Exception {
    var ended = new CountDownLatch(1);
    cluster.on(
        "POST /v1/commands",
        _ -> {
          try {
            ended.await();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
          return new CannedCluster.Response(200, Samples.begun("op-17"));
        });
    try {
      var output = interrupted(() -> awaitRequests("POST", "/v1/commands", 1), "evacuate", "a");
      assertThat(output).contains("may have been done or not").contains("haven op list");
    } finally {
      ended.countDown();
    }
  }

  /** What a process of its own prints that gets a real SIGINT as soon as it has come so far. */
  private String interrupted(Runnable awaitMoment, String... args) throws Exception {
    var command =
        new ArrayList<>(
            List.of(
                "env", // a test in the background of a script inherits an ignored SIGINT
                "--default-signal=INT",
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "dev.haven.cli.Main",
                "--config",
                directory.resolve("cli.yaml").toString()));
    command.addAll(List.of(args));
    var output = directory.resolve("output");
    var process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    try {
      awaitMoment.run();
      new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
      assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    assertThat(process.exitValue()).isEqualTo(130);
    return Files.readString(output);
  }

  private static String unusedAddress() throws IOException {
    return "127.0.0.1:" + FreePorts.at("127.0.0.1");
  }
}
