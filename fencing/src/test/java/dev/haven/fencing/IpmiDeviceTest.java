package dev.haven.fencing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.fencing.FencingOutcome.Confirmed;
import dev.haven.fencing.FencingOutcome.Failed;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against real simulated BMCs: ipmitool, UDP and RMCP+ are the ones of production. */
final class IpmiDeviceTest {
  private static final Duration WITHIN = Duration.ofSeconds(4);
  private static final FencingTarget HOST =
      new FencingTarget("a", Optional.of("a1234567-89ab-cdef-a123-456789abcde1"), Map.of());

  @TempDir Path folder;
  private Fencer fencer;
  private SimulatedBmc bmc;

  @BeforeEach
  void start() throws Exception {
    fencer = new Fencer(folder);
    bmc = new SimulatedBmc(folder.resolve("bmc"), SimulatedBmc.GUID);
  }

  @AfterEach
  void stop() throws Exception {
    bmc.close();
  }

  private FencingOutcome off(FencingPlan plan) {
    return fencer.powerOff(HOST, plan, WITHIN, FencingListener.NONE);
  }

  private FencingOutcome off(DeviceSpec spec) {
    return off(FencingPlan.of(spec));
  }

  @Test
  void offIsOrderedAndReadBackTwice() throws Exception {
    assertThat(off(bmc.spec("bmc")))
        .isInstanceOfSatisfying(
            Confirmed.class,
            confirmed -> {
              assertThat(confirmed.readings()).hasSize(2);
              assertThat(confirmed.readings().getFirst().evidence())
                  .isEqualTo("Chassis Power is off");
              assertThat(confirmed.identities().get("bmc")).isEqualTo(new DeviceIdentity.Same());
            });
    assertThat(bmc.power()).isFalse();
  }

  @Test
  void aHostThatIsOffAlreadyIsOrderedOffAllTheSame() throws Exception {
    bmc.power(false);
    assertThat(off(bmc.spec("bmc"))).isInstanceOf(Confirmed.class);
    assertThat(bmc.orders()).isEqualTo(1);
  }

  @Test
  void aBmcThatTakesAWhileIsWaitedFor() throws Exception {
    bmc.mode("slow");
    var began = Instant.now();
    var outcome = off(bmc.spec("bmc"));
    assertThat(outcome).isInstanceOf(Confirmed.class);
    assertThat(Duration.between(began, Instant.now()))
        .isGreaterThanOrEqualTo(Duration.ofMillis(1200));
  }

  @Test
  void aBmcThatHangsIsAFailureAndNeverOff() throws Exception {
    bmc.power(false);
    bmc.hang();
    assertThat(off(bmc.spec("bmc", "timeout", "1s")))
        .isInstanceOfSatisfying(
            Failed.class,
            failed -> assertThat(failed.reasons().get("bmc")).contains("no answer in 1.0 s"));
    assertThat(fencer.readAll(FencingPlan.of(bmc.spec("bmc")), Duration.ofMillis(300)))
        .isInstanceOf(EvidenceReading.Unclear.class);
  }

  @Test
  void aBmcThatRefusesIsAFailure() throws Exception {
    bmc.mode("refuse");
    assertThat(off(bmc.spec("bmc"))).isInstanceOf(Failed.class);
    assertThat(bmc.power()).isTrue();
  }

  @Test
  void aBmcThatLiesCannotBeFoundOutHereSoItsWordComesWithItsTime() throws Exception {
    bmc.mode("lie");
    var before = Instant.now();
    assertThat(off(bmc.spec("bmc")))
        .isInstanceOfSatisfying(
            Confirmed.class,
            // A heartbeat after this moment is what contradicts it.
            confirmed -> assertThat(confirmed.readingBegan()).isAfterOrEqualTo(before));
    assertThat(bmc.power()).isTrue();
  }

  @Test
  void aWrongPasswordIsAFailureThatNamesNeitherPassword() {
    var wrong = "not-the-s3cret";
    var outcome = off(bmc.spec("bmc", "password", wrong));
    assertThat(outcome).isInstanceOf(Failed.class);
    assertThat(outcome.toString()).contains("session").doesNotContain(wrong);
    var health = fencer.check(HOST, FencingPlan.of(bmc.spec("bmc", "password", wrong)), WITHIN);
    assertThat(health.getFirst().usable()).isFalse();
    assertThat(health.getFirst().toString()).doesNotContain(wrong);
  }

  /**
   * ipmi_sim grants every account every privilege over IPMI 2.0; over 1.5 it keeps to the accounts'
   * limits.
   */
  @Test
  void anAccountThatMayOnlyLookIsFoundBeforeItMatters() throws Exception {
    var spec = bmc.spec("bmc", "interface", "lan", "user", "looker");
    var health = fencer.check(HOST, FencingPlan.of(spec), WITHIN).getFirst();
    assertThat(health.privilege()).as(health.toString()).isInstanceOf(Privilege.Missing.class);
    assertThat(health.usable()).isFalse();
    assertThat(health.sentence()).contains("may not switch");
    assertThat(health.wayOut()).contains("OPERATOR");
    assertThat(off(spec)).isInstanceOf(Failed.class);
    assertThat(bmc.power()).isTrue();
  }

  /** A busy machine: a session that got lost says nothing of what the account may do. */
  @Test
  void aFirstSessionThatIsLostDoesNotMeanThatTheAccountMayNotSwitch() throws Exception {
    try (var relay = new Relay(bmc.port())) {
      var device =
          IpmiDevice.open(
              bmc.spec("bmc", "port", "" + relay.port(), "timeout", "1s"), IpmitoolHome.in(folder));
      assertThat(device.privilege(Duration.ofSeconds(30))).isEqualTo(new Privilege.Enough());
      assertThat(relay.lost()).isTrue();
    }
  }

  /** Loses what its first caller sends. */
  private static final class Relay implements AutoCloseable {
    private final DatagramSocket callers = new DatagramSocket(0, InetAddress.getLoopbackAddress());
    private final InetSocketAddress to;
    private final Map<SocketAddress, DatagramSocket> ways = new ConcurrentHashMap<>();
    private volatile @Nullable SocketAddress first;

    Relay(int port) throws IOException {
      to = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
      Thread.ofVirtual().start(this::run);
    }

    int port() {
      return callers.getLocalPort();
    }

    boolean lost() {
      return first != null;
    }

    private void run() {
      try {
        while (true) {
          var packet = new DatagramPacket(new byte[2048], 2048);
          callers.receive(packet);
          var from = packet.getSocketAddress();
          if (first == null) {
            first = from;
          }
          if (!from.equals(first)) {
            way(from).send(new DatagramPacket(packet.getData(), packet.getLength(), to));
          }
        }
      } catch (IOException e) {
        // closed
      }
    }

    private DatagramSocket way(SocketAddress from) throws IOException {
      var known = ways.get(from);
      if (known != null) {
        return known;
      }
      var way = new DatagramSocket(0, InetAddress.getLoopbackAddress());
      ways.put(from, way);
      Thread.ofVirtual()
          .start(
              () -> {
                try {
                  while (true) {
                    var packet = new DatagramPacket(new byte[2048], 2048);
                    way.receive(packet);
                    callers.send(new DatagramPacket(packet.getData(), packet.getLength(), from));
                  }
                } catch (IOException e) {
                  // closed
                }
              });
      return way;
    }

    @Override
    public void close() {
      callers.close();
      ways.values().forEach(DatagramSocket::close);
    }
  }

  @Test
  void aSessionThatMayOnlyLookIsToldSoByTheBmc() throws Exception {
    var spec = bmc.spec("bmc", "privilege", "USER");
    assertThat(IpmiDevice.open(spec, IpmitoolHome.in(folder)).read(WITHIN))
        .isInstanceOf(PowerReading.On.class);
    assertThat(off(spec))
        .isInstanceOfSatisfying(
            Failed.class,
            failed ->
                assertThat(failed.reasons().get("bmc")).contains("Insufficient privilege level"));
    assertThat(fencer.check(HOST, FencingPlan.of(spec), WITHIN).getFirst().privilege())
        .isInstanceOf(Privilege.Missing.class);
  }

  @Test
  void aHealthyDeviceIsToldInOneSentence() {
    assertThat(fencer.check(HOST, FencingPlan.of(bmc.spec("bmc-a")), WITHIN).getFirst())
        .satisfies(
            health -> {
              assertThat(health.usable()).isTrue();
              assertThat(health.sentence())
                  .isEqualTo("bmc-a answers, says on, may switch, and is this host's");
              assertThat(health.wayOut()).isEmpty();
            });
  }

  @Test
  void aDeviceThatDoesNotAnswerIsUnhealthyAndTheWayOutIsTold() throws Exception {
    bmc.hang();
    var spec = bmc.spec("bmc-a", "timeout", "1s");
    assertThat(fencer.check(HOST, FencingPlan.of(spec), WITHIN).getFirst())
        .satisfies(
            health -> {
              assertThat(health.usable()).isFalse();
              assertThat(health.sentence()).contains("no answer in 1.0 s");
              assertThat(health.wayOut()).contains("check its address");
            });
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "equal,              a1234567-89ab-cdef-a123-456789abcde1, a123456789abcdefa123456789abcde1,"
        + " Same",
    "wire order,         e1cdab89-6745-23a1-efcd-ab89674523a1, a123456789abcdefa123456789abcde1,"
        + " Same",
    "another machine's,  a1234567-89ab-cdef-a123-456789abcde2, a123456789abcdefa123456789abcde1,"
        + " Different",
    "zero,               a1234567-89ab-cdef-a123-456789abcde1, 00000000000000000000000000000000,"
        + " Unknown",
  })
  void theGuidOfTheDeviceIsComparedWithTheHostsOwn(
      String reason, String host, String guid, String expected) throws Exception {
    var target = new FencingTarget("a", Optional.of(host), Map.of());
    try (var other = new SimulatedBmc(folder.resolve("other"), guid)) {
      var health = fencer.check(target, FencingPlan.of(other.spec("bmc")), WITHIN).getFirst();
      assertThat(health.identity().getClass().getSimpleName())
          .as(health.toString())
          .isEqualTo(expected);
      assertThat(health.usable()).isEqualTo(!expected.equals("Different"));
      var outcome =
          fencer.powerOff(target, FencingPlan.of(other.spec("bmc")), WITHIN, FencingListener.NONE);
      assertThat(outcome)
          .as(reason)
          .isInstanceOf(expected.equals("Different") ? Failed.class : Confirmed.class);
      assertThat(other.power()).isEqualTo(expected.equals("Different"));
    }
  }

  @Test
  void ofTwoSuppliesBothMustBeOff() throws Exception {
    try (var second = new SimulatedBmc(folder.resolve("second"), SimulatedBmc.GUID)) {
      var both = new FencingPlan(List.of(new Level(List.of(bmc.spec("one"), second.spec("two")))));
      second.mode("refuse");
      assertThat(off(both))
          .isInstanceOfSatisfying(
              Failed.class, failed -> assertThat(failed.reasons()).containsKey("two"));
      second.mode("ok");
      assertThat(off(both))
          .isInstanceOfSatisfying(
              Confirmed.class, confirmed -> assertThat(confirmed.readings()).hasSize(4));
    }
  }

  @Test
  void theSecondLevelFollowsWhenTheFirstHangs() throws Exception {
    try (var second = new SimulatedBmc(folder.resolve("second"), SimulatedBmc.GUID)) {
      bmc.hang();
      var levels =
          new FencingPlan(
              List.of(
                  new Level(List.of(bmc.spec("one", "timeout", "500ms"))),
                  new Level(List.of(second.spec("two")))));
      assertThat(off(levels))
          .isInstanceOfSatisfying(
              Confirmed.class, confirmed -> assertThat(confirmed.level()).isEqualTo(2));
    }
  }

  @Test
  void aHostIsSwitchedOnAgainAndReadBack() throws Exception {
    bmc.power(false);
    assertThat(fencer.powerOn(HOST, FencingPlan.of(bmc.spec("bmc")), WITHIN, FencingListener.NONE))
        .isInstanceOf(PowerOnOutcome.On.class);
    assertThat(bmc.power()).isTrue();
  }

  @Test
  void theDevicesOwnWordIsEvidenceOfAPowerLoss() throws Exception {
    var plan = FencingPlan.of(bmc.spec("bmc"));
    assertThat(fencer.readAll(plan, WITHIN)).isInstanceOf(EvidenceReading.PowerOn.class);
    bmc.power(false);
    assertThat(fencer.readAll(plan, WITHIN)).isInstanceOf(EvidenceReading.PowerOff.class);
    assertThat(bmc.orders()).isZero();
  }

  @Test
  void whatIpmitoolReadsIsMadeOnceForAllProcessesAndCanBeDoneWithout() throws Exception {
    var kept = folder.resolve("kept");
    assertThat(IpmitoolHome.in(kept)).isEqualTo(IpmitoolHome.in(kept));
    try (var files = Files.walk(kept)) {
      assertThat(files.filter(Files::isRegularFile).map(f -> f.getFileName().toString()))
          .containsExactly("enterprise-numbers.txt");
    }
    var impossible = Files.writeString(folder.resolve("a-file"), "");
    assertThat(IpmiDevice.open(bmc.spec("bmc"), IpmitoolHome.in(impossible)).read(WITHIN))
        .isInstanceOf(PowerReading.On.class);
  }

  @Test
  void aPasswordIsReadFromItsFileAtEachCall() throws Exception {
    var file = folder.resolve("password");
    Files.writeString(file, "old\n");
    var settings = new HashMap<>(bmc.spec("bmc").settings());
    settings.remove("password");
    settings.put("passwordFile", file.toString());
    var device = IpmiDevice.open(new DeviceSpec("bmc", "ipmi", settings), IpmitoolHome.in(folder));
    assertThat(device.read(WITHIN)).isInstanceOf(PowerReading.Unknown.class);
    Files.writeString(file, SimulatedBmc.PASSWORD + "\n");
    assertThat(device.read(WITHIN)).isInstanceOf(PowerReading.On.class);
    Files.delete(file);
    assertThat(device.read(WITHIN).toString()).contains("cannot read passwordFile");
  }

  @Test
  void theSecretIsOnNoCommandLineAndInNothingThatIsShown() throws Exception {
    var shown = Collections.synchronizedList(new ArrayList<String>());
    var seen = Collections.synchronizedSet(new TreeSet<String>());
    var done = new AtomicBoolean();
    var watcher =
        Thread.ofPlatform()
            .start(
                () -> {
                  while (!done.get()) {
                    seen.addAll(commandLines());
                  }
                });
    var spec = bmc.spec("bmc");
    for (int i = 0; i < 5; i++) {
      shown.add(
          fencer
              .powerOff(HOST, FencingPlan.of(spec), WITHIN, step -> shown.add(step.toString()))
              .toString());
      shown.add(fencer.check(HOST, FencingPlan.of(spec), WITHIN).toString());
      shown.add(FencingPlan.of(spec).toString());
    }
    done.set(true);
    watcher.join();
    assertThat(seen).anyMatch(line -> line.contains("ipmitool") && line.contains("chassis"));
    assertThat(seen).noneMatch(line -> line.contains(SimulatedBmc.PASSWORD));
    assertThat(shown).noneMatch(line -> line.contains(SimulatedBmc.PASSWORD));
  }

  private static List<String> commandLines() {
    try (var all = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
      var lines = new ArrayList<String>();
      for (var process : all) {
        try {
          lines.add(Files.readString(process.resolve("cmdline")).replace('\0', ' '));
        } catch (IOException e) {
          // It has ended meanwhile.
        }
      }
      return lines;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      value = {
        "adress=10.0.0.1          | setting adress is unknown | did you mean address?",
        "user=haven               | setting address is missing | add it, such as address:"
            + " 10.0.0.11",
        "address=x y,user=u       | address is x y | give the BMC's host name or IP address",
        "address=h,user=u         | the password is missing | add passwordFile: PATH",
        "address=h,user=u,password=p,port=99999 | port is 99999 | give a whole number from 1 to"
            + " 65535",
        "address=h,user=u,password=p,timeout=2h | timeout is 2h | give a time from 100ms to 10m",
        "address=h,user=u,password=p,privilege=root | privilege is root | use OPERATOR",
        "address=h,user=u,passwordFile=/nonexistent | cannot read passwordFile /nonexistent | put"
            + " the password alone into that file",
      })
  void aMistakeInASettingIsToldWithTheWayOut(String text, String expected, String wayOut) {
    var settings = new HashMap<String, String>();
    for (var pair : text.split(",")) {
      settings.put(pair.split("=")[0], pair.split("=")[1]);
    }
    assertThatThrownBy(
            () ->
                IpmiDevice.open(new DeviceSpec("bmc-a", "ipmi", settings), IpmitoolHome.in(folder)))
        .isInstanceOf(FencingConfigException.class)
        .hasMessageStartingWith("fencing device bmc-a: ")
        .hasMessageContaining(expected)
        .hasMessageContaining(wayOut);
  }

  /** Cipher 0 asks for no password, and 1, 6 and 15 let anybody on the way answer "off". */
  @Test
  void aSessionThatOthersCanAnswerInIsRefused() throws Exception {
    for (var cipher : List.of("0", "1", "6", "15")) {
      assertThatThrownBy(
              () -> IpmiDevice.open(bmc.spec("bmc", "cipher", cipher), IpmitoolHome.in(folder)))
          .as("cipher %s", cipher)
          .hasMessageContaining("use 3 or 17");
    }
  }
}
