package dev.haven.agent.libvirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.DomainEvent.Change;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.Hypervisor.Answer;
import dev.haven.agent.guest.Hypervisor.DiskError;
import dev.haven.agent.guest.Hypervisor.Domain;
import dev.haven.agent.guest.Hypervisor.Gone;
import dev.haven.agent.guest.Hypervisor.GuestStart;
import dev.haven.agent.guest.Hypervisor.Link;
import dev.haven.agent.guest.Hypervisor.MigrateOut;
import dev.haven.agent.guest.Hypervisor.MigrationProgress;
import dev.haven.agent.guest.Hypervisor.MigrationResult;
import dev.haven.agent.guest.Hypervisor.Outcome;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import dev.haven.agent.libvirt.GuestXml.Then;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Against two real libvirtd with real QEMU guests, each in namespaces of its own. */
@Timeout(60)
class LibvirtHypervisorTest {
  private static final Duration SOON = Duration.ofSeconds(5);
  private static final Duration LONG = Duration.ofSeconds(20);

  /** Nothing forbids it. */
  private static final Hypervisor.Permit ALWAYS = new Leave(Optional.empty(), Optional.empty());

  /**
   * @param toCreate why it must not be created
   * @param toRun why it must not be let run
   */
  record Leave(Optional<String> toCreate, Optional<String> toRun) implements Hypervisor.Permit {}

  /** The guests whose orders stand in the hosts' notes. */
  private static final Set<String> ORDERED = Set.of("web");

  @TempDir static Path directory;
  private static PrivateHost hostA;
  private static PrivateHost hostB;
  private static Heard heardA;
  private static Heard heardB;
  private static Hypervisor a;
  private static Hypervisor b;

  /** Notes what a migration tells. */
  static final class Watched implements Hypervisor.MigrationWatcher {
    final List<MigrationProgress> progress = new CopyOnWriteArrayList<>();
    final CompletableFuture<String> gone = new CompletableFuture<>();

    @Override
    public void progress(MigrationProgress now) {
      progress.add(now);
    }

    @Override
    public void gone(String evidence) {
      gone.complete(evidence);
    }
  }

  /** Notes what a hypervisor tells. */
  static final class Heard implements Hypervisor.Listener {
    final List<DomainEvent> events = new CopyOnWriteArrayList<>();
    final List<Link> links = new CopyOnWriteArrayList<>();

    @Override
    public void heard(DomainEvent event) {
      events.add(event);
    }

    @Override
    public void link(Link link) {
      links.add(link);
    }

    /** Waits for a change of a guest and says when it was heard. */
    Instant change(String guest, Change change, Why why) {
      PrivateHost.await(
          guest + " " + change + " (" + why + "), heard: " + events,
          () -> events.stream().anyMatch(event -> is(event, guest, change, why)));
      return events.stream()
          .filter(event -> is(event, guest, change, why))
          .findFirst()
          .orElseThrow()
          .at();
    }

    private static boolean is(DomainEvent event, String guest, Change change, Why why) {
      return event instanceof DomainEvent.Changed(_, var name, var what, var reason)
          && name.equals(guest)
          && what == change
          && reason == why;
    }
  }

  @BeforeAll
  static void bootTwoHosts() throws Exception {
    var missing = PrivateHost.missing();
    assumeTrue(missing.isEmpty(), missing.orElse(""));
    hostA = PrivateHost.boot(Files.createDirectory(directory.resolve("a")), 1);
    hostB = PrivateHost.boot(Files.createDirectory(directory.resolve("b")), 2);
    PrivateHost.cable(hostA, hostB);
    heardA = new Heard();
    heardB = new Heard();
    a = connect(hostA, heardA);
    b = connect(hostB, heardB);
    PrivateHost.await("both connected", () -> up(a) && up(b));
  }

  private static LibvirtHypervisor connect(PrivateHost host, Heard heard) {
    return LibvirtHypervisor.connect(host.uri(), heard, ORDERED::contains, host.root());
  }

  @AfterAll
  static void powerOff() throws Exception {
    for (var part : new AutoCloseable[] {a, b, hostA, hostB}) {
      if (part != null) {
        part.close();
      }
    }
  }

  @AfterEach
  void destroyAllGuests() throws Exception {
    for (var host : List.of(hostA, hostB)) {
      for (var name : host.virsh("list", "--name").lines().filter(n -> !n.isBlank()).toList()) {
        host.virsh("destroy", name);
      }
      for (var name :
          host.virsh("list", "--all", "--name").lines().filter(n -> !n.isBlank()).toList()) {
        host.virsh("undefine", name);
      }
    }
    heardA.events.clear();
    heardB.events.clear();
  }

  @Test
  void aStartedGuestRunsUnderItsEpochAndDoesNotStartByItselfAtBoot() {
    var begun = System.nanoTime();
    assertThat(start(a, "web", 5)).isEqualTo(new Outcome.Done());
    measured("start call", begun);

    var web = look(a, "web");
    assertThat(web.state().run()).isEqualTo(Run.RUNNING);
    assertThat(web.epoch()).isEqualTo(OptionalLong.of(5));
    assertThat(web.persistent()).isTrue();
    assertThat(web.autostart()).isFalse();
    assertThat(web.memoryMib()).isEqualTo(128);
    assertThat(web.vcpus()).isEqualTo(1);
    heardA.change("web", Change.STARTED, Why.BOOTED);
  }

  @Test
  void aGuestIsCreatedPausedAndRunsOnlyWithLeaveAtTheLastMoment() {
    var no = new Leave(Optional.empty(), Optional.of("its lease has ended"));
    var xml = GuestXml.idle("web");
    assertThat(a.start(new GuestStart("web", 5, xml, false), no, LONG))
        .isEqualTo(new Outcome.Unavailable("its lease has ended"));
    assertThat(look(a, "web").state().toString()).isEqualTo("paused (user)");
    assertThat(a.start(new GuestStart("web", 5, xml, false), ALWAYS, LONG))
        .as("it may be its owner's pause")
        .isEqualTo(new Outcome.Already());
    assertThat(a.start(new GuestStart("web", 5, xml, true), no, LONG))
        .isInstanceOf(Outcome.Unavailable.class);
    assertThat(look(a, "web").state().run()).isEqualTo(Run.PAUSED);
    assertThat(a.start(new GuestStart("web", 5, xml, true), ALWAYS, LONG))
        .isEqualTo(new Outcome.Done());
    assertThat(look(a, "web").state().run()).isEqualTo(Run.RUNNING);
    assertThat(a.letRun()).isEmpty();

    var not = new Leave(Optional.of("no lease"), Optional.empty());
    assertThat(a.start(new GuestStart("db", 1, GuestXml.idle("db"), false), not, LONG))
        .isEqualTo(new Outcome.Unavailable("no lease"));
    assertThat(look(a, "db").state().shutOff()).isTrue();
  }

  @Test
  void aGuestThatLibvirtIsStillStartingUpDoesNotRunYet() throws Exception {
    var hold = Files.createFile(directory.resolve("hold"));
    var slow = directory.resolve("slow-qemu");
    Files.writeString(
        slow,
        """
        #!/bin/sh
        case "$*" in *guest=web,*) while [ -e %s ]; do sleep 0.05; done;; esac
        exec /usr/bin/qemu-system-x86_64 "$@"
        """
            .formatted(hold));
    Files.setPosixFilePermissions(slow, PosixFilePermissions.fromString("rwxr-xr-x"));
    var xml = GuestXml.idle("web").replace("/usr/bin/qemu-system-x86_64", slow.toString());
    var first =
        CompletableFuture.supplyAsync(
            () -> a.start(new GuestStart("web", 5, xml, false), ALWAYS, LONG));
    try (var next = connect(hostA, new Heard())) {
      PrivateHost.await("connected", () -> up(next));
      PrivateHost.await(
          "libvirt starts it up",
          () ->
              next.domain("web", SOON) instanceof Answer.Known<List<Domain>>(var found)
                  && found.stream().anyMatch(d -> d.state().why() == Why.STARTING_UP));
      for (var created : List.of(true, false)) {
        assertThat(next.start(new GuestStart("web", 5, xml, created), ALWAYS, SOON))
            .as("asked by the next process of the agent")
            .isInstanceOf(Outcome.Unavailable.class)
            .asString()
            .contains("starting");
      }
    } finally {
      Files.delete(hold);
    }
    assertThat(first.get()).isEqualTo(new Outcome.Done());
  }

  @Test
  void aCloneOfAGuestIsNoGuestOfHavens() throws Exception {
    start(a, "web", 5);
    // as virt-clone does: another name and another UUID, all else as it is
    var clone =
        hostA
            .virsh("dumpxml", "--inactive", "web")
            .replace("<name>web</name>", "<name>web-clone</name>")
            .replaceFirst("<uuid>[^<]*</uuid>", "");
    assertThat(clone).contains("haven");
    hostA.virsh("define", Files.writeString(directory.resolve("clone.xml"), clone).toString());
    hostA.virsh("start", "web-clone");
    assertThat(look(a, "web-clone").epoch()).isEmpty();
    assertThat(look(a, "web-clone").report().epoch()).isEqualTo(Epoch.NONE);
    assertThat(a.destroy("web-clone", 5, LONG)).isInstanceOf(Outcome.Conflict.class);
    assertThat(a.suspend("web-clone", 5, LONG)).isInstanceOf(Outcome.Conflict.class);
    assertThat(look(a, "web-clone").state().run()).isEqualTo(Run.RUNNING);
    hostA.virsh("autostart", "web-clone");
    try (var next = connect(hostA, new Heard())) {
      PrivateHost.await("connected", () -> up(next));
    }
    assertThat(look(a, "web-clone").autostart()).as("is its owner's").isTrue();

    // under the guest's own name, on another host: other disks, another machine
    var elsewhere = clone.replace("<name>web-clone</name>", "<name>web</name>");
    hostB.virsh("define", Files.writeString(directory.resolve("clone.xml"), elsewhere).toString());
    assertThat(look(b, "web").epoch()).isEmpty();
    assertThat(look(a, "web").epoch()).isEqualTo(OptionalLong.of(5));
  }

  @Test
  void aMarkThatNamesNobodyCountsForTheGuestAndNotForItsClone() throws Exception {
    start(a, "web", 5);
    // as marks were before they had names
    hostA.virsh(
        "metadata",
        "web",
        MarkedDomain.NAMESPACE,
        "--key",
        MarkedDomain.PREFIX,
        "--live",
        "--config",
        "--set",
        "<guest epoch='5'/>");
    assertThat(hostA.virsh("dumpxml", "web")).contains("epoch=").doesNotContain("name=\"web\"");
    var clone =
        hostA
            .virsh("dumpxml", "--inactive", "web")
            .replace("<name>web</name>", "<name>web-clone</name>")
            .replaceFirst("<uuid>[^<]*</uuid>", "");
    hostA.virsh("define", Files.writeString(directory.resolve("clone.xml"), clone).toString());
    hostA.virsh("start", "web-clone");

    assertThat(look(a, "web-clone").report().epoch()).isEqualTo(Epoch.NONE);
    assertThat(a.suspend("web-clone", 5, LONG)).isInstanceOf(Outcome.Conflict.class);
    assertThat(a.destroy("web-clone", 5, LONG)).isInstanceOf(Outcome.Conflict.class);
    assertThat(look(a, "web-clone").state().run()).isEqualTo(Run.RUNNING);
    assertThat(look(a, "web").epoch()).isEqualTo(OptionalLong.of(5));
    assertThat(a.suspend("web", 5, LONG)).as("is guarded").isEqualTo(new Outcome.Done());

    a.destroy("web", 5, LONG);
    start(a, "web", 6);
    assertThat(hostA.virsh("dumpxml", "web")).contains("epoch=\"6\" name=\"web\"");

    // what the log advises
    hostA.virsh(
        "metadata", "web-clone", "--uri", MarkedDomain.NAMESPACE, "--remove", "--config", "--live");
    assertThat(hostA.virsh("dumpxml", "web-clone")).doesNotContain(MarkedDomain.NAMESPACE);
  }

  /** Who asks for it saw it starting up, and may have waited since for the start to end. */
  @Test
  void aGuestThatHasComeToRunIsNoArrivalToBeEnded() {
    start(a, "web", 5);
    assertThat(a.endArrival("web", 5, LONG)).isInstanceOf(Outcome.Failed.class);
    assertThat(look(a, "web").state().run()).isEqualTo(Run.RUNNING);
    a.destroy("web", 5, LONG);
    assertThat(a.endArrival("web", 5, LONG)).isEqualTo(new Outcome.Already());
  }

  @Test
  void aStartRepeatedIsUnharmedAndOneOfAnotherEpochIsRefused() {
    start(a, "web", 5);
    assertThat(start(a, "web", 5)).isEqualTo(new Outcome.Already());
    assertThat(start(a, "web", 6)).isInstanceOf(Outcome.Conflict.class);
    assertThat(start(a, "web", 4)).isInstanceOf(Outcome.Conflict.class);
    assertThat(a.destroy("web", 4, LONG)).isInstanceOf(Outcome.Conflict.class);
    assertThat(look(a, "web").state().run()).isEqualTo(Run.RUNNING);

    assertThat(a.destroy("web", 5, LONG)).isEqualTo(new Outcome.Done());
    assertThat(start(a, "web", 4)).isInstanceOf(Outcome.Conflict.class);
    assertThat(start(a, "web", 6)).isEqualTo(new Outcome.Done());
    assertThat(look(a, "web").epoch()).isEqualTo(OptionalLong.of(6));
  }

  @Test
  void aDomainThatHavenDoesNotKeepIsLeftAlone() throws Exception {
    var xml = Files.writeString(directory.resolve("foreign.xml"), GuestXml.idle("foreign"));
    hostA.virsh("define", xml.toString());
    assertThat(start(a, "foreign", 1)).isInstanceOf(Outcome.Conflict.class);
    assertThat(a.destroy("foreign", 1, LONG)).isInstanceOf(Outcome.Conflict.class);
    assertThat(look(a, "foreign").epoch()).isEmpty();
  }

  @Test
  void anAutostartFoundIsSwitchedOffAndGivenBack() throws Exception {
    start(a, "web", 1);
    a.destroy("web", 1, LONG);
    hostA.virsh("autostart", "web");
    start(a, "web", 2);
    assertThat(look(a, "web").autostart()).isFalse();
    start(a, "web", 2);
    a.destroy("web", 2, LONG);
    start(a, "web", 3); // remembers through another start

    assertThat(a.release("web", 3, LONG)).isEqualTo(new Outcome.Done());
    assertThat(look(a, "web").autostart()).isTrue();
    assertThat(look(a, "web").epoch()).isEmpty();
  }

  @Test
  void libvirtsOwnWordsReachTheCallerWhenAStartFails() {
    var xml =
        GuestXml.idle("web")
            .replace(
                "</devices>",
                "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source"
                    + " file='/nowhere/web.img'/><target dev='vda'"
                    + " bus='virtio'/></disk></devices>");
    var outcome = a.start(new GuestStart("web", 1, xml, false), ALWAYS, LONG);
    assertThat(outcome)
        .isInstanceOfSatisfying(
            Outcome.Failed.class,
            failed -> {
              assertThat(failed.message()).contains("/nowhere/web.img");
              assertThat(failed.code()).isPositive();
            });
    assertThat(a.confirmGone("web", LONG)).isInstanceOf(Gone.Confirmed.class);
    assertThat(a.start(new GuestStart("web", 1, "<domain", false), ALWAYS, LONG))
        .isInstanceOf(Outcome.Failed.class);
  }

  @Test
  void aKilledQemuIsHeardOfAsACrash() throws Exception {
    start(a, "web", 1);
    var killed = Instant.now();
    hostA.signal(hostA.qemu("web").orElseThrow(), "KILL");
    var heard = heardA.change("web", Change.STOPPED, Why.FAILED);
    System.out.println(
        "measured: kill -9 of QEMU to its event: "
            + Duration.between(killed, heard).toMillis()
            + " ms");
    assertThat(look(a, "web").state().toString()).isEqualTo("shut_off (crashed)");
    assertThat(a.confirmGone("web", LONG)).isInstanceOf(Gone.Confirmed.class);
  }

  @Test
  void aDestroyByHandAndAPowerOffFromInsideAreToldApart() throws Exception {
    start(a, "web", 1);
    hostA.virsh("destroy", "web");
    heardA.change("web", Change.STOPPED, Why.DESTROYED);

    a.start(
        new GuestStart("brief", 1, GuestXml.busy("brief", directory, Then.EXIT), false),
        ALWAYS,
        LONG);
    heardA.change("brief", Change.STOPPED, Why.SHUTDOWN);
    assertThat(look(a, "brief").state().why()).isEqualTo(Why.SHUTDOWN);
  }

  @Test
  void aGuestWhoseQemuIsEndedByASignalIsOffByItsHost() throws Exception {
    start(a, "web", 1);
    hostA.signal(hostA.qemu("web").orElseThrow(), "TERM");
    PrivateHost.await("off", () -> look(a, "web").state().shutOff());
    assertThat(look(a, "web").report().state()).isEqualTo(DomainState.OFF_BY_HOST);
  }

  @Test
  void anAutostartFlagAndASavedImageOfAGuestAreGoneOnceTheAgentIsConnected() throws Exception {
    start(a, "web", 1);
    start(a, "mail", 1);
    hostA.virsh("autostart", "web");
    hostA.virsh("managedsave", "mail");
    try (var next = connect(hostA, new Heard())) {
      PrivateHost.await("no autostart", () -> up(next) && !look(next, "web").autostart());
      PrivateHost.await(
          "no image",
          () -> !Files.exists(hostA.root().resolve("var/lib/libvirt/qemu/save/mail.save")));
      PrivateHost.await("no hazard", () -> next.hazards().equals(Optional.of(List.of())));
    }
    a.release("web", 1, LONG);
    assertThat(look(a, "web").autostart()).as("given back").isTrue();
  }

  @Test
  void aDiskIsNotBeingCopiedAnyMoreOnceItsGuestCountsAsPaused() throws Exception {
    startBusy("web", 1, Then.TICK);
    var copy = directory.resolve("copy.disk");
    hostA.virsh("blockcopy", "web", "hda", copy.toString(), "--format", "raw", "--transient-job");
    assertThat(hostA.virsh("dumpxml", "web")).contains("<mirror ");
    assertThat(a.suspend("web", 1, LONG)).isEqualTo(new Outcome.Done());
    assertThat(hostA.virsh("dumpxml", "web")).doesNotContain("<mirror ");
  }

  @Test
  void aQemuOfWhichLibvirtKnowsNothingIsNotGone() throws Exception {
    start(a, "web", 1);
    var qemu = hostA.qemu("web").orElseThrow();
    // as after a libvirtd that could not read its notes
    hostA.signal(hostA.libvirtd(), "STOP");
    hostA.in("rm", "/run/libvirt/qemu/web.xml", "/etc/libvirt/qemu/web.xml");
    hostA.signal(hostA.libvirtd(), "KILL");
    PrivateHost.await(
        "a libvirtd without it",
        () ->
            a.domain("web", SOON) instanceof Answer.Known<List<Domain>>(var found)
                && found.isEmpty());
    try {
      assertThat(a.confirmGone("web", LONG))
          .isInstanceOfSatisfying(
              Gone.Unknown.class, unknown -> assertThat(unknown.reason()).contains("runs it"));
    } finally {
      hostA.signal(qemu, "KILL");
    }
    PrivateHost.await("gone", () -> a.confirmGone("web", LONG) instanceof Gone.Confirmed);
  }

  @Test
  void aGuestIsPausedAndGoesOn() {
    start(a, "web", 1);
    assertThat(a.confirmGone("web", LONG)).isInstanceOf(Gone.StillThere.class);
    assertThat(a.suspend("web", 1, LONG)).isEqualTo(new Outcome.Done());
    assertThat(look(a, "web").state().toString()).isEqualTo("paused (user)");
    assertThat(a.suspend("web", 1, LONG)).isEqualTo(new Outcome.Already());
    assertThat(a.resume("web", 2, true, ALWAYS, LONG)).isInstanceOf(Outcome.Conflict.class);
    assertThat(a.resume("web", 1, true, ALWAYS, LONG)).isEqualTo(new Outcome.Done());
    assertThat(a.resume("web", 1, true, ALWAYS, LONG)).isEqualTo(new Outcome.Already());
    heardA.change("web", Change.SUSPENDED, Why.USER);
    heardA.change("web", Change.RESUMED, Why.UNPAUSED);
    assertThat(a.shutdown("web", 1, LONG)).isEqualTo(new Outcome.Done());
    assertThat(a.shutdown("nobody", 1, LONG)).isEqualTo(new Outcome.Absent());
    assertThat(a.undefine("web", 1, LONG)).isInstanceOf(Outcome.Failed.class);
    a.destroy("web", 1, LONG);
    assertThat(a.undefine("web", 1, LONG)).isEqualTo(new Outcome.Done());
    assertThat(a.undefine("web", 1, LONG)).isEqualTo(new Outcome.Already());
    assertThat(a.confirmGone("web", LONG))
        .isEqualTo(new Gone.Confirmed("libvirt knows no domain web"));
  }

  @Test
  void aGuestArrivesPausedUnderItsNewEpochAndRunsOnlyOnceItsSourceIsGone() throws Exception {
    startBusy("web", 5, Then.TICK);
    migratePaused(a, hostB, b, 5);
    assertThat(a.confirmGone("web", SOON)).isInstanceOf(Gone.Confirmed.class);
    assertThat(look(b, "web").epoch()).isEqualTo(OptionalLong.of(6));
    b.destroy("web", 6, LONG);
    assertThat(look(b, "web").epoch())
        .as("the definition has it too")
        .isEqualTo(OptionalLong.of(6));
  }

  /** Figures over several runs by hand: -Dmigrations=10. */
  @Test
  @Timeout(600)
  void howLongAMigrationAndItsPauseTake() throws Exception {
    startBusy("web", 1, Then.TICK);
    var epoch = 1;
    for (var i = 0; i < Integer.getInteger("migrations", 1); i++) {
      migratePaused(a, hostB, b, epoch++);
      migratePaused(b, hostA, a, epoch++);
      migrateRunning(a, hostB, b, epoch++);
      migrateRunning(b, hostA, a, epoch++);
    }
  }

  private static void migratePaused(Hypervisor from, PrivateHost to, Hypervisor at, long epoch)
      throws Exception {
    try (var console = Console.watching(directory, "web");
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      var watched = new Watched();
      var migrating =
          CompletableFuture.supplyAsync(
              () -> from.migrate(order(to, "web", epoch, epoch + 1, 0, true), watched), threads);
      var evidence = watched.gone.get(30, TimeUnit.SECONDS);
      var gone = System.nanoTime();
      assertThat(look(at, "web").state().toString()).isEqualTo("paused (user)");
      assertThat(at.resume("web", epoch, true, ALWAYS, SOON)).isInstanceOf(Outcome.Conflict.class);
      assertThat(at.resume("web", epoch + 1, true, ALWAYS, SOON)).isEqualTo(new Outcome.Done());
      var resumed = System.nanoTime();
      var pause = console.longestSilence(directory, "web");
      var result = migrating.get();
      assertThat(result)
          .isInstanceOfSatisfying(
              MigrationResult.Left.class,
              left -> {
                assertThat(left.downtime()).isPositive();
                // how much of its memory it has touched by then differs with the load of this
                // machine
                assertThat(left.transferred()).isGreaterThan(1L << 20);
              });
      System.out.printf(
          "measured: arrived paused: %s, pause %d ms, of it from source gone (%s) to resumed %.1f"
              + " ms%n",
          result, pause.toMillis(), evidence, (resumed - gone) / 1e6);
    }
  }

  private static void migrateRunning(Hypervisor from, PrivateHost to, Hypervisor at, long epoch) {
    try (var console = Console.watching(directory, "web")) {
      var watched = new Watched();
      var result = from.migrate(order(to, "web", epoch, epoch + 1, 0, false), watched);
      assertThat(result).isInstanceOf(MigrationResult.Left.class);
      assertThat(look(at, "web").state().run()).isEqualTo(Run.RUNNING);
      System.out.printf(
          "measured: arrived running: %s, pause %d ms%n",
          result, console.longestSilence(directory, "web").toMillis());
    }
  }

  @Test
  void aCancelledMigrationLeavesTheGuestRunningWhereItWas() throws Exception {
    startBusy("web", 5, Then.TICK);
    var watched = new Watched();
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      var migrating =
          CompletableFuture.supplyAsync(
              () -> a.migrate(order(hostB, "web", 5, 6, 1, true), watched), threads);
      PrivateHost.await("progress", () -> watched.progress.size() >= 3);
      assertThat(look(a, "web").job()).isTrue();
      assertThat(look(b, "web").state().toString()).isEqualTo("paused (migration)");
      assertThat(b.resume("web", 6, true, ALWAYS, SOON)).isInstanceOf(Outcome.Failed.class);
      assertThat(a.migrate(order(hostB, "web", 5, 6, 1, true), new Watched()))
          .isInstanceOf(MigrationResult.Refused.class);
      assertThat(a.cancelMigration("web", 5, SOON)).isEqualTo(new Outcome.Done());
      assertThat(migrating.get())
          .isInstanceOfSatisfying(
              MigrationResult.Failed.class,
              failed -> {
                assertThat(failed.code()).isEqualTo(Native.ERROR_OPERATION_ABORTED);
                assertThat(failed.here().orElseThrow().run()).isEqualTo(Run.RUNNING);
              });
    }
    assertThat(watched.gone).isNotDone();
    assertThat(watched.progress.getLast().memoryTotal()).isGreaterThan(100L << 20);
    assertThat(watched.progress.getLast().memoryRemaining()).isPositive();
    assertThat(b.confirmGone("web", LONG)).isInstanceOf(Gone.Confirmed.class);
  }

  @Test
  void aGuestThatWritesFasterThanItsMemoryIsCopiedStaysWhereItIs() {
    startBusy("web", 5, Then.DIRTY);
    var watched = new Watched();
    var order =
        new MigrateOut(
            "web",
            5,
            6,
            hostB.remoteUri(),
            hostB.migrationUri(),
            30,
            true,
            true,
            List.of(Duration.ofMillis(10), Duration.ofMillis(20)),
            Duration.ofSeconds(5),
            LONG);
    assertThat(a.migrate(order, watched))
        .isInstanceOfSatisfying(
            MigrationResult.Failed.class,
            failed -> assertThat(failed.here().orElseThrow().run()).isEqualTo(Run.RUNNING));
    assertThat(watched.progress.getLast().allowedDowntime())
        .as("the ladder was climbed first")
        .isEqualTo(Duration.ofMillis(20));
  }

  @Test
  void aMigrationWithoutTheRightEpochOrTargetTouchesNothing() {
    start(a, "web", 5);
    assertThat(a.migrate(order(hostB, "web", 4, 6, 0, true), new Watched()))
        .isInstanceOf(MigrationResult.Refused.class);
    var nowhere =
        new MigrateOut(
            "web",
            5,
            6,
            "qemu+tcp://10.97.0.2:1/system",
            "",
            0,
            true,
            true,
            List.of(Duration.ofMillis(300)),
            LONG,
            LONG);
    assertThat(a.migrate(nowhere, new Watched()))
        .isInstanceOfSatisfying(
            MigrationResult.Failed.class,
            failed -> assertThat(failed.here().orElseThrow().run()).isEqualTo(Run.RUNNING));
  }

  @Test
  void guestsOutliveTheirLibvirtdAndAreThereAgainAfterIt() throws Exception {
    start(a, "web", 5);
    var qemu = hostA.qemu("web").orElseThrow();
    var killed = System.nanoTime();
    hostA.signal(hostA.libvirtd(), "KILL");
    PrivateHost.await("away", () -> a.link() instanceof Link.Away);
    assertThat(a.destroy("web", 5, SOON))
        .isInstanceOfAny(Outcome.Unavailable.class, Outcome.Unknown.class);
    PrivateHost.await("connected again", () -> up(a));
    measured("libvirtd killed to connected again", killed);

    PrivateHost.await(
        "web seen again",
        () ->
            a.domain("web", SOON) instanceof Answer.Known<List<Domain>>(var found)
                && !found.isEmpty());
    assertThat(look(a, "web").state().run()).isEqualTo(Run.RUNNING);
    assertThat(look(a, "web").epoch()).isEqualTo(OptionalLong.of(5));
    assertThat(hostA.qemu("web").orElseThrow().pid()).isEqualTo(qemu.pid());
    PrivateHost.await(
        "the listener was told",
        () ->
            heardA.links.stream().anyMatch(l -> l instanceof Link.Away)
                && heardA.links.getLast() instanceof Link.Up);
    // a libvirtd that has not taken the process up again by now tells nobody of its death, but it
    // shows
    hostA.signal(qemu, "KILL");
    PrivateHost.await("its death shows", () -> look(a, "web").state().shutOff());
  }

  @Test
  void aLibvirtdThatHangsIsUnknownWithinTheLimitAndThenFoundAgain() throws Exception {
    start(a, "web", 5);
    var libvirtd = hostA.libvirtd();
    hostA.signal(libvirtd, "STOP");
    try {
      var begun = System.nanoTime();
      assertThat(a.destroy("web", 5, Duration.ofMillis(500))).isInstanceOf(Outcome.Unknown.class);
      assertThat(a.domains(Duration.ofMillis(500))).isInstanceOf(Answer.Unknown.class);
      assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofMillis(1500));
      assertThat(a.link()).isInstanceOf(Link.Away.class);
      assertThat(a.start(new GuestStart("db", 1, GuestXml.idle("db"), false), ALWAYS, SOON))
          .isInstanceOf(Outcome.Unavailable.class);
    } finally {
      hostA.signal(libvirtd, "CONT");
    }
    PrivateHost.await("connected again", () -> up(a));
    PrivateHost.await("no thread is left in libvirt", () -> Session.HELD.get() == 0);
    // the destroy that nobody waited for any more was not carried out late
    assertThat(look(a, "web").state().run()).isEqualTo(Run.RUNNING);
  }

  @Test
  void aDiskThatFailsIsToldFromOneThatIsFull() throws Exception {
    try (var failing = FaultyDisk.serve(directory, "failing", 5);
        var full = FaultyDisk.serve(directory, "full", 28)) {
      for (var disk : List.of(failing, full)) {
        var xml = GuestXml.writing(disk.name(), directory, disk.socket());
        assertThat(a.start(new GuestStart(disk.name(), 1, xml, false), ALWAYS, LONG))
            .isEqualTo(new Outcome.Done());
        heardA.change(disk.name(), Change.SUSPENDED, Why.IO_ERROR);
      }
      assertThat(look(a, "failing").diskErrors()).containsExactly(new DiskError("hda", false));
      assertThat(look(a, "failing").report().state()).isEqualTo(DomainState.PAUSED_IO_ERROR);
      assertThat(look(a, "full").diskErrors()).containsExactly(new DiskError("hda", true));
      assertThat(look(a, "full").report().state()).isEqualTo(DomainState.PAUSED_NO_SPACE);
      assertThat(heardA.events)
          .filteredOn(event -> event instanceof DomainEvent.IoError)
          .map(event -> (DomainEvent.IoError) event)
          .allMatch(DomainEvent.IoError::paused)
          .anyMatch(event -> event.domain().equals("failing") && !event.full())
          .anyMatch(event -> event.domain().equals("full") && event.full());
      // at the end of a lease: QEMU itself says that it is stopped and has nothing in flight
      for (var name : List.of("failing", "full")) {
        assertThat(a.suspend(name, 1, SOON)).isEqualTo(new Outcome.Already());
        assertThat(look(a, name).state().toString()).isEqualTo("paused (io_error)");
      }
      a.destroy("failing", 1, LONG);
      a.destroy("full", 1, LONG);
    }
  }

  @Test
  void aQemuThatHangsHidesNoOtherGuestAndItsOrdersEndInTime() throws Exception {
    start(a, "hung", 1);
    start(a, "web", 1);
    hostA.signal(hostA.qemu("hung").orElseThrow(), "STOP");
    assertThat(a.suspend("hung", 1, Duration.ofMillis(500))).isInstanceOf(Outcome.Unknown.class);
    assertThat(look(a, "hung").state().run()).isEqualTo(Run.RUNNING);
    assertThat(a.suspend("web", 1, SOON)).isEqualTo(new Outcome.Done());
    assertThat(up(a)).isTrue();
    hostA.signal(hostA.qemu("hung").orElseThrow(), "KILL");
    heardA.change("hung", Change.STOPPED, Why.FAILED);
    PrivateHost.await("no thread is left in libvirt", () -> Session.HELD.get() == 0);
  }

  @Test
  void aNetworkThatBreaksWhileMemoryIsCopiedLeavesTheGuestRunningWhereItWas() throws Exception {
    startBusy("web", 5, Then.TICK);
    var watched = new Watched();
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      var migrating =
          CompletableFuture.supplyAsync(
              () -> a.migrate(order(hostB, "web", 5, 6, 1, true), watched), threads);
      PrivateHost.await("progress", () -> watched.progress.size() >= 2);
      hostB.in("ip", "link", "set", "eth0", "down");
      try {
        assertThat(migrating.get())
            .isInstanceOfSatisfying(
                MigrationResult.Failed.class,
                failed -> assertThat(failed.here().orElseThrow().run()).isEqualTo(Run.RUNNING));
      } finally {
        hostB.in("ip", "link", "set", "eth0", "up");
      }
    }
    assertThat(watched.gone).isNotDone();
    PrivateHost.await(
        "what had arrived is removed", () -> b.confirmGone("web", SOON) instanceof Gone.Confirmed);
  }

  @Test
  void theHostTellsWhatItHasAndWhatAGuestWouldMiss() {
    assertThat(a.host(LONG))
        .isInstanceOfSatisfying(
            Answer.Known.class,
            known -> {
              var host = (Hypervisor.HostReport) known.value();
              assertThat(host.uuid()).hasToString("00000001-1111-2222-3333-444444444444");
              assertThat(host.memoryTotalMib()).isGreaterThan(host.memoryFreeMib());
              assertThat(host.memoryFreeMib()).isPositive();
              assertThat(host.hypervisor()).isEqualTo("QEMU");
              assertThat(host.libvirtVersion()).matches("\\d+\\.\\d+\\.\\d+");
              assertThat(host.architecture()).isEqualTo("x86_64");
              assertThat(host.autostarted()).isEmpty();
              assertThat(host.machines())
                  .anyMatch(m -> m.startsWith("pc-q35-"))
                  .doesNotContain("q35", "pc");
              assertThat(host.features().bandwidth()).isTrue();
            });
    assertThat(a.obstacles(GuestXml.idle("web"), LONG)).isEqualTo(new Answer.Known<>(List.of()));
    var ofTomorrow = GuestXml.idle("web").replace("machine='pc'", "machine='pc-i440fx-99.0'");
    assertThat(a.obstacles(ofTomorrow, LONG).toString()).contains("pc-i440fx-99.0");
    var demanding =
        GuestXml.idle("web")
            .replace(
                "</devices>",
                "<interface type='bridge'><source bridge='br-no'/></interface><interface"
                    + " type='network'><source network='lan'/></interface></devices><cpu"
                    + " mode='custom' match='exact'><model"
                    + " fallback='forbid'>EPYC-Milan</model></cpu>");
    assertThat(a.obstacles(demanding, LONG))
        .isInstanceOfSatisfying(
            Answer.Known.class,
            known -> {
              assertThat(known.value().toString()).contains("bridge br-no", "network lan", "CPU");
            });
  }

  private static boolean up(Hypervisor hypervisor) {
    return hypervisor.link() instanceof Link.Up;
  }

  private static Outcome start(Hypervisor hypervisor, String name, long epoch) {
    return hypervisor.start(new GuestStart(name, epoch, GuestXml.idle(name), false), ALWAYS, LONG);
  }

  /** Starts a guest and waits until it has filled its memory once. */
  private static void startBusy(String name, long epoch, Then then) {
    var xml = GuestXml.busy(name, directory, then);
    assertThat(a.start(new GuestStart(name, epoch, xml, false), ALWAYS, LONG))
        .isEqualTo(new Outcome.Done());
    PrivateHost.await("the guest has filled its memory", () -> Console.size(directory, name) > 400);
  }

  private static MigrateOut order(
      PrivateHost to, String name, long epoch, long targetEpoch, int bandwidth, boolean paused) {
    return new MigrateOut(
        name,
        epoch,
        targetEpoch,
        to.remoteUri(),
        to.migrationUri(),
        bandwidth,
        paused,
        true,
        List.of(Duration.ofMillis(300), Duration.ofMillis(600)),
        Duration.ofSeconds(30),
        Duration.ofSeconds(40));
  }

  private static Domain look(Hypervisor hypervisor, String name) {
    return switch (hypervisor.domain(name, SOON)) {
      case Answer.Known<List<Domain>>(var found) when found.size() == 1 -> found.getFirst();
      case Answer.Known<List<Domain>> _ -> throw new AssertionError("no domain " + name);
      case Answer.Unknown<List<Domain>>(var reason) -> throw new AssertionError(reason);
    };
  }

  private static void measured(String what, long since) {
    System.out.printf("measured: %s: %.1f ms%n", what, (System.nanoTime() - since) / 1e6);
  }
}
