package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.agent.guest.Changes;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import dev.haven.model.DomainState;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.GoingDown;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Somebody reboots a host: no guest is switched off for ever by that, nor comes back twice. */
@Timeout(30)
class HostGoesDownTest {
  @TempDir Path units;
  private final Map<String, String> prints = new ConcurrentHashMap<>();
  private final LinkedBlockingQueue<List<String>> ran = new LinkedBlockingQueue<>();
  private final FakeHypervisor libvirt = new FakeHypervisor();
  private final Changes changes = new Changes();
  private final LinkedBlockingQueue<FromAgent> told = new LinkedBlockingQueue<>();
  private final Systemd systemd = new Systemd(this::run, changes::happened);
  private final Reports reports =
      new Reports(
          libvirt,
          changes,
          Hypervisor.Domain::report,
          _ -> Optional.empty(),
          systemd,
          told::add,
          () -> told.add(new FromAgent.DisksSeen(1, 0, List.of())),
          new OwnFaults(System::nanoTime));

  private Optional<String> run(List<String> command) {
    ran.add(command);
    return Optional.ofNullable(prints.get(command.get(1)));
  }

  @AfterEach
  void close() {
    reports.close();
    systemd.close();
  }

  private FromAgent.Domains says(String what, Predicate<FromAgent.Domains> is) throws Exception {
    while (true) {
      var next = told.poll(10, TimeUnit.SECONDS);
      assertThat(next).as(what).isNotNull();
      if (next instanceof FromAgent.Domains d && is.test(d)) {
        return d;
      }
    }
  }

  private static Predicate<FromAgent.Domains> with(DomainState state) {
    return d -> d.domains().stream().anyMatch(r -> r.state() == state);
  }

  private void begin(String state) throws Exception {
    prints.put("is-system-running", state);
    prints.put("get-property", "b false");
    libvirt.put("web", Run.RUNNING, Why.BOOTED, 3);
    reports.start();
    says("it runs", with(DomainState.RUNNING));
  }

  private void shutsDown() {
    libvirt.put("web", Run.SHUT_OFF, Why.SHUTDOWN, 3);
    changes.happened();
  }

  @Test
  void aGuestThatPowersItselfOffOnAHostThatStaysUpIsOffByItsOwnersWish() throws Exception {
    begin("degraded");
    shutsDown();
    assertThat(says("off", d -> !with(DomainState.RUNNING).test(d)).domains())
        .allMatch(d -> d.state() == DomainState.OFF_SHUTDOWN);
  }

  @Test
  void aGuestThatIsShutDownWithItsHostIsStillWanted() throws Exception {
    begin("running");
    prints.put("is-system-running", "stopping");
    shutsDown();
    assertThat(says("off", d -> !with(DomainState.RUNNING).test(d)).domains())
        .allMatch(d -> d.state() == DomainState.OFF_BY_HOST);
    // also once the shutdown is called off
    prints.put("is-system-running", "running");
    says("not going down", d -> d.goingDown().isEmpty() && with(DomainState.OFF_BY_HOST).test(d));
    assertThat(told)
        .noneMatch(f -> f instanceof FromAgent.Domains d && with(DomainState.OFF_SHUTDOWN).test(d));
  }

  @Test
  void whereSystemdDoesNotAnswerAShutdownIsNotTakenForItsOwnersWish() throws Exception {
    begin("running");
    prints.clear();
    shutsDown();
    says("off by its host", with(DomainState.OFF_BY_HOST));
  }

  @Test
  void theLeaderHearsThatTheHostGoesDownAndHow() throws Exception {
    begin("running");
    prints.put("get-property", "b true"); // somebody's delay lock holds it up for a moment
    says("a reboot", d -> d.goingDown().equals(Optional.of(GoingDown.REBOOT)));
    prints.put("list-jobs", "123 poweroff.target start waiting");
    says("it stays off", d -> d.goingDown().equals(Optional.of(GoingDown.POWER_OFF)));
    prints.put("get-property", "b false");
    says("called off", d -> d.goingDown().isEmpty());
  }

  @Test
  void libvirtsOwnServiceLosesItsProgramsAndIsNeverStopped() throws Exception {
    prints.put(
        "show", "ExecStart={ path=/bin/true ; }\nExecStop={ path=/bin/true ; }\nLoadState=loaded");
    assertThat(libvirtGuests(units).hazard()).isEmpty();
    assertThat(units.resolve("libvirt-guests.service.d/haven.conf"))
        .hasContent(LibvirtGuests.DROP_IN);
    assertThat(libvirtGuests(units).hazard()).as("again").isEmpty();
    assertThat(ran).contains(List.of("systemctl", "daemon-reload"));
    assertThat(ran).noneMatch(c -> c.contains("stop") || c.contains("mask") || c.contains("--now"));
  }

  @Test
  void whereItCannotBeSwitchedOffItIsSaid() throws Exception {
    var ours = "ExecStart={ path=/bin/true ; }\nLoadState=loaded\n";
    prints.put("show", ours + "ExecStop={ path=/usr/lib/libvirt/libvirt-guests.sh ; }");
    assertThat(libvirtGuests(units).hazard().orElseThrow()).contains("libvirt-guests.sh");
    prints.put("show", "LoadState=not-found");
    assertThat(libvirtGuests(units).hazard()).isEmpty();
    var file = Files.createFile(units.resolve("file"));
    assertThat(libvirtGuests(file).hazard().orElseThrow()).contains("cannot be written");
  }

  private LibvirtGuests libvirtGuests(Path units) {
    var guests = new LibvirtGuests(units, this::run);
    guests.off();
    return guests;
  }

  /** Else nobody relies on the host until its agent is started again. */
  @Test
  void aSystemdThatWasTooBusyAtTheStartIsAskedAgain() {
    var guests = libvirtGuests(units);
    assertThat(guests.hazard().orElseThrow()).contains("systemd does not answer");
    var hazards = new HostHazards(Optional.of(guests), Optional.empty());
    assertThat(hazards.look()).isTrue();
    assertThat(hazards.look()).as("no news").isFalse();
    prints.put("show", "LoadState=not-found");
    assertThat(hazards.look()).isTrue();
    assertThat(hazards.now()).isEmpty();
    ran.clear();
    assertThat(hazards.look()).isFalse();
    assertThat(ran).isEmpty();
  }

  @Test
  void beforeGuestsThatLibvirtMayStartWereLookedForNobodyReliesOnThisHost() {
    libvirt.hazardsLookedFor = false;
    assertThat(Agent.hazards(List.of(), libvirt))
        .containsExactly("libvirt was not yet asked for guests that it may start by itself");
    libvirt.hazardsLookedFor = true;
    assertThat(Agent.hazards(List.of(), libvirt)).isEmpty();
  }

  @Test
  void whatLibvirtMayStartByItselfIsToldWithANewHello() throws Exception {
    begin("running");
    told.clear();
    libvirt.hazards = List.of("libvirt may start guest web by itself: it refuses");
    changes.happened();
    while (!(told.poll(10, TimeUnit.SECONDS) instanceof FromAgent.DisksSeen)) {
      assertThat(libvirt.hazards).isNotEmpty();
    }
  }
}
