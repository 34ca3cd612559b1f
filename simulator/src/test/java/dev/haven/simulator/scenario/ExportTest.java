package dev.haven.simulator.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.Capacity;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.Rule;
import dev.haven.model.api.Views;
import dev.haven.model.config.SettingsException;
import dev.haven.simulator.Stage;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A live cluster becomes a scenario and nothing of it that matters is lost. */
class ExportTest {
  private static final HostSpec SPEC =
      new HostSpec(
          new HostId("a"),
          Optional.of("4c4c4544"),
          "qemu+tls://a/system",
          List.of(new Network("control", "10.9.8.7", List.of(Network.Role.CONTROL))),
          List.of(
              List.of(
                  new FencingDevice("ipmi", "ipmi", Map.of("passwordFile", "/etc/haven/secret")))),
          Map.of("rack", "r: 1"),
          Optional.of("pdu-1"),
          0,
          2.5);
  private static final GuestSpec WEB =
      new GuestSpec(
          new GuestId("web"),
          "6b1f3a52-6f0e-4d0e-9d8a-0d6d1f3c1a11",
          2048,
          2,
          -5,
          "<domain>secret</domain>",
          Map.of("app", "shop"),
          List.of(
              new Rule.WithGuests("app", "shop", true, false),
              new Rule.OnHosts(Set.of(new HostId("a")), Map.of(), false, true)),
          GuestSpec.Restart.NEVER,
          5);

  private static Views.Host host(HostSpec spec, Views.Host.State state, Capacity capacity) {
    return new Views.Host(
        spec.id(),
        state,
        true,
        Optional.empty(),
        Optional.empty(),
        capacity,
        0,
        0,
        0,
        "",
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        spec);
  }

  private static HostSpec named(String name) {
    return new HostSpec(
        new HostId(name),
        Optional.empty(),
        "",
        List.of(),
        List.of(),
        Map.of(),
        Optional.empty(),
        HostSpec.DEFAULT_MEMORY_RESERVE_MIB,
        HostSpec.DEFAULT_CPU_OVERCOMMIT);
  }

  private static final String TEXT =
      ScenarioText.of(
          new Views.Export(
              List.of("a", "b", "tiny"),
              Map.of("silentAfter", "PT4.5S", "startsPerHost", "7", "unheardOf", "x"),
              List.of(
                  host(SPEC, Views.Host.State.ONLINE, new Capacity(65_536, 16, "QEMU")),
                  host(named("b"), Views.Host.State.FENCED, new Capacity(8_192, 4, "QEMU")),
                  host(named("new"), Views.Host.State.EXPECTED, Capacity.UNKNOWN)),
              List.of(
                  new Views.GuestDetail(
                      new Views.Guest(
                          WEB.id(),
                          Views.Guest.State.RUNNING,
                          true,
                          Optional.of(new HostId("a")),
                          Optional.empty(),
                          3,
                          "",
                          2048,
                          2,
                          -5),
                      WEB,
                      List.of(new HostId("a"))))));

  @Test
  void whatItWritesIsReadBackAsItWas() throws SettingsException {
    var scenario = ScenarioFile.parse("export", TEXT);
    assertThat(scenario.voters()).containsExactlyInAnyOrder("a", "b", "tiny");
    assertThat(scenario.policy().silentAfter()).isEqualTo(Duration.ofMillis(4500));
    assertThat(scenario.policy().startsPerHost()).isEqualTo(7);
    assertThat(scenario.hosts()).hasSize(2);
    var a = scenario.hosts().getFirst();
    assertThat(a.spec().labels()).isEqualTo(SPEC.labels());
    assertThat(a.spec().failureDomain()).isEqualTo(SPEC.failureDomain());
    assertThat(a.spec().memoryReserveMib()).isZero();
    assertThat(a.spec().cpuOvercommit()).isEqualTo(2.5);
    assertThat(a.spec().networks()).hasSize(1);
    assertThat(a.spec().fencing()).hasSize(1);
    assertThat(a.capacity().memoryMib()).isEqualTo(65_536);
    assertThat(a).matches(Stage.HostAtFirst::power).matches(Stage.HostAtFirst::cordoned);
    assertThat(scenario.hosts().getLast().power()).isFalse();
    var web = scenario.guests().getFirst();
    assertThat(web.host()).contains(new HostId("a"));
    assertThat(web.spec())
        .usingRecursiveComparison()
        .ignoringFields("uuid", "domainXml")
        .isEqualTo(WEB);
  }

  @Test
  void itHoldsNoAddressAndNoSecret() {
    assertThat(TEXT).doesNotContain("10.9.8.7").doesNotContain("secret").doesNotContain("4c4c");
  }

  @Test
  void whatPeopleTypeIsPlayedOnIt() throws SettingsException {
    var now = ScenarioFile.parse("export", TEXT);
    assertThat(ScenarioFile.happening(now, List.of("power-off", "a", "b")))
        .isEqualTo(
            new Happening.Hosts(
                Stage.HostEvent.POWER_OFF, List.of(new HostId("a"), new HostId("b"))));
    assertThat(ScenarioFile.happening(now, List.of("isolate: {host: a,", "network: control}")))
        .isEqualTo(new Happening.Ports(List.of(new HostId("a")), List.of(0), false));
    var end =
        Play.run(
            now.with(
                List.of(
                    new Happening.Timed(
                        new Happening.When.At(Duration.ofSeconds(10)),
                        ScenarioFile.happening(now, List.of("crash", "web"))))),
            null);
    assertThat(end.violations()).isEmpty();
    assertThat(end.guests().getFirst().wanted()).isFalse(); // it is never to be restarted
  }
}
