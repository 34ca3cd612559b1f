package dev.haven.core.ha;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.Definition;
import dev.haven.model.DiskUse;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.RequestId;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.assertj.core.api.AbstractThrowableAssert;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Two guests never have a disk that one of them writes. */
class SharedDisksTest {
  private static final HostId A = new HostId("a");
  private static final HostId B = new HostId("b");
  private static final GuestId WEB = new GuestId("web");
  private static final GuestId DB = new GuestId("db");

  private ClusterState state = Hosts.online(false, A, B);
  private final List<Action> actions = new ArrayList<>();
  private int request;

  private static String disk(String source) {
    return "<disk type='file'><driver type='qcow2'/>%s<target dev='vda'/></disk>".formatted(source);
  }

  private static GuestSpec guest(GuestId id, String devices) {
    return new GuestSpec(
        id,
        "uuid-" + id,
        1024,
        1,
        0,
        "<domain><devices>" + devices + "</devices></domain>",
        Map.of(),
        List.of(),
        GuestSpec.Restart.ANYWHERE,
        3);
  }

  private Decision happens(Event event) {
    var decision = HaPolicy.decide(state, event);
    var outcome =
        state.apply(
            new Entry(
                Entry.FORMAT, state.version(), Hosts.AT, decision.changes(), decision.facts()));
    assertThat(outcome).isInstanceOf(ClusterState.Outcome.Applied.class);
    state = outcome.state();
    actions.addAll(decision.actions());
    return decision;
  }

  private Reply command(Command command, Optional<Definition> definition) {
    return happens(
            new Event.CommandReceived(
                new RequestId("r" + request++),
                "admin",
                command,
                Event.Outlook.NONE,
                Event.Quorum.NONE,
                definition,
                Hosts.AT))
        .reply()
        .orElseThrow();
  }

  private Reply create(GuestId id, String devices) {
    return command(new Command.CreateGuest(guest(id, devices), true), Optional.empty());
  }

  @ParameterizedTest(name = "{0} | {1}: {2}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          <source file='/g/x.img'/>              | <source file='/g/y.img'/>              | fine
          <source file='/g/x.img'/>              | <source file='/g/x.img'/>              | refused
          <source file='/g/x.img'/>              | <source file='/g/./z/../x.img'/>       | refused
          <source file='/g/x.img'/>              | <source file="/g/x.img"/>              | refused
          <source file='/g/x&amp;y.img'/>        | <source file='/g/x&#38;y.img'/>        | refused
          <!-- <source file='/g/y'/> --><source file='/g/x'/> | <source file='/g/x'/>    | refused
          <!-- <source file='/g/x'/> --><source file='/g/y'/> | <source file='/g/x'/>    | fine
          <source dev='/dev/vg/x'/>              | <source dev='/dev/vg/x'/>              | refused
          <source dev='/dev/vg/x'/>              | <source dev='/dev/vg/y'/>              | fine
          <source protocol='rbd' name='p/x'/>    | <source protocol='rbd' name='p/x'/>    | refused
          <source pool='p' volume='x'/>          | <source pool='p' volume='x'/>          | refused
          <source pool='p' volume='x'/>          | <source pool='q' volume='x'/>          | fine
          <source file='/g/x'/><readonly/>       | <source file='/g/x'/><readonly/>       | fine
          <source file='/g/x'/><readonly/>       | <source file='/g/x'/>                  | refused
          <source file='/g/x'/><shareable/>      | <source file='/g/x'/><shareable/>      | fine
          <source file='/g/x'/><shareable/>      | <source file='/g/x'/>                  | refused
          <source file='/g/x'/><backingStore type='file'><format type='raw'/><source file='/g/base'/></backingStore> | <source file='/g/base'/> | refused
          <source file='/g/x'/><backingStore type='file'><source file='/g/base'/></backingStore> | <source file='/g/y'/><backingStore type='file'><source file='/g/base'/></backingStore> | fine
          """)
  void aDiskThatOneGuestWritesIsRefusedToAnother(String web, String db, String then) {
    assertThat(create(WEB, disk(web))).isInstanceOf(Reply.Accepted.class);
    var reply = create(DB, disk(db));
    if (then.equals("fine")) {
      assertThat(reply).isInstanceOf(Reply.Accepted.class);
      return;
    }
    assertThat(reply)
        .isInstanceOfSatisfying(
            Reply.Refused.class,
            r ->
                assertThat(r.message())
                    .contains("guest db: its disk ")
                    .contains("guest web")
                    .contains("give it a disk of its own"));
    assertThat(state.guest(DB)).isEmpty();
  }

  @Test
  void anInstallersImageIsForEverybodyAndFirmwareSettingsAreForOne() {
    var iso = "<disk type='file' device='cdrom'><source file='/iso/debian.iso'/></disk>";
    assertThat(create(WEB, iso)).isInstanceOf(Reply.Accepted.class);
    assertThat(create(DB, iso)).isInstanceOf(Reply.Accepted.class);
    var uefi = "<domain><os><nvram>/g/VARS.fd</nvram></os></domain>";
    assertThat(Definition.read(uefi).uses())
        .containsExactly(new DiskUse("file /g/VARS.fd", true, false));
  }

  @Test
  void anEditThatWouldShareADiskIsRefused() {
    create(WEB, disk("<source file='/g/x'/>"));
    create(DB, disk("<source file='/g/y'/>"));
    assertThat(
            command(
                new Command.EditGuest(guest(DB, disk("<source file='/g/x'/>"))), Optional.empty()))
        .isInstanceOf(Reply.Refused.class);
    assertThat(state.rivals(DB)).isEmpty();
    assertThat(
            command(
                new Command.EditGuest(guest(DB, disk("<source file='/g/z'/>"))), Optional.empty()))
        .isInstanceOf(Reply.Accepted.class);
  }

  @Test
  void twoNamesOfOneImageAreOneImage() {
    create(WEB, disk("<source file='/g/x'/>"), found("inode 7 on ext4 a", true));
    var reply = create(DB, disk("<source file='/link/to/x'/>"), found("inode 7 on ext4 a", true));
    assertThat(reply)
        .isInstanceOfSatisfying(
            Reply.Refused.class,
            r ->
                assertThat(r.message())
                    .contains("file /link/to/x, which is or stands on inode 7 on ext4 a"));
  }

  private Reply create(GuestId id, String devices, DiskUse found) {
    var spec = guest(id, devices);
    var definition = Definition.read(spec.domainXml()).with(List.of(found), true);
    return command(new Command.CreateGuest(spec, true), Optional.of(definition));
  }

  private static DiskUse found(String what, boolean writable) {
    return new DiskUse(what, writable, false);
  }

  @Test
  void whatNobodyCouldLookAtIsAcceptedWithAWarningAndLookedAtBeforeItStarts() {
    create(WEB, disk("<source file='/g/x'/>"), found("inode 7 on ext4 a", true));
    runs(WEB);
    var reply = create(DB, disk("<source file='/link/to/x'/>"));
    assertThat(reply)
        .isInstanceOfSatisfying(
            Reply.Accepted.class,
            r -> assertThat(r.message()).contains("warning").contains("file /link/to/x"));
    var starting = (GuestPhase.Starting) state.guest(DB).orElseThrow().phase();
    // right before the order to start it leaves, its host is asked, and says
    var seen = state.definition(DB).with(List.of(found("inode 7 on ext4 a", true)), true);
    happens(new Event.DisksResolved(DB, seen, Hosts.AT));
    assertThat(state.guest(DB).orElseThrow().phase()).isInstanceOf(GuestPhase.Vacating.class);
    assertThat(alarm("shared-disk-db+web")).contains("guests db and web").contains("inode 7");
    assertThat(state.guest(WEB).orElseThrow().phase())
        .as("nothing is stopped")
        .isInstanceOf(GuestPhase.Running.class);
    // the agent's word that nothing of it runs; then it waits until the other is off
    gone(DB, starting);
    assertThat(state.guest(DB).orElseThrow().phase()).isInstanceOf(GuestPhase.Waiting.class);
    assertThat(alarm("guest-db")).contains("guest web may run and has the same disk");
    actions.clear();
    happens(new Event.Tick(Hosts.AT.plusSeconds(60)));
    assertThat(actions).isEmpty();
    // its owner stops the other one
    state = stopped(WEB);
    happens(new Event.Tick(Hosts.AT.plusSeconds(120)));
    assertThat(actions).anyMatch(a -> a instanceof Action.Start s && s.guest().equals(DB));
  }

  @Test
  void noEntryPlacesAGuestBesideOneThatWritesItsDisk() {
    create(WEB, disk("<source file='/g/x'/>"));
    runs(WEB);
    state =
        state.apply(
            new Change.GuestDescribed(
                guest(DB, disk("<source file='/g/x'/>")), true)); // no policy would
    placing(DB, B, new Epoch(1))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("guest db is placed on b but shares a disk");
    var reopened =
        ClusterState.of(Json.read(Json.bytes(state.snapshot()), ClusterState.Snapshot.class));
    assertThat(reopened.rivals(DB)).as("a snapshot keeps it").isEqualTo(state.rivals(DB));
    assertThat(state.rivals(DB)).hasSize(1);
  }

  @Test
  void aPairThatIsThereAlreadyHasAnAlarmUntilOneOfThemHasADiskOfItsOwn() {
    create(WEB, disk("<source file='/g/x'/>"));
    create(DB, disk("<source file='/g/y'/>"));
    runs(WEB);
    runs(DB);
    happens(
        new Event.DisksResolved(
            WEB,
            state.definition(WEB).with(List.of(found("inode 7 on ext4 a", true)), true),
            Hosts.AT));
    happens(
        new Event.DisksResolved(
            DB,
            state.definition(DB).with(List.of(found("inode 7 on ext4 a", false)), true),
            Hosts.AT));
    assertThat(alarm("shared-disk-db+web")).contains("Nothing is stopped");
    assertThat(state.guest(WEB).orElseThrow().phase()).isInstanceOf(GuestPhase.Running.class);
    assertThat(state.guest(DB).orElseThrow().phase()).isInstanceOf(GuestPhase.Running.class);
    // what does not touch the disks may be changed all the same
    var spec = guest(DB, disk("<source file='/g/y'/>"));
    assertThat(command(new Command.EditGuest(spec), Optional.of(state.definition(DB))))
        .isInstanceOf(Reply.Accepted.class);
    assertThat(alarm("shared-disk-db+web")).isNotEmpty();
    command(new Command.EditGuest(guest(DB, disk("<source file='/g/z'/>"))), Optional.empty());
    assertThat(state.alarm("shared-disk-db+web")).isEmpty();
  }

  private String alarm(String id) {
    return state.alarm(id).map(Alarm::message).orElse("");
  }

  private AbstractThrowableAssert<?, ?> placing(GuestId guest, HostId on, Epoch epoch) {
    return Assertions.assertThatThrownBy(
        () -> state.apply(new Change.GuestPlaced(guest, new Holding(on, Hosts.BOOT, epoch))));
  }

  /** It was placed when it was created; now its agent has started it. */
  private void runs(GuestId id) {
    var p = (GuestPhase.Starting) state.guest(id).orElseThrow().phase();
    state = state.apply(new Change.PhaseChanged(id, new GuestPhase.Running(p.holding())));
  }

  private void gone(GuestId id, GuestPhase.Starting was) {
    happens(
        new Event.OrderAnswered(
            was.host(),
            new BootId("boot-1"),
            new dev.haven.model.wire.Order.ConfirmGone(id, was.epoch(), true),
            new dev.haven.model.wire.Answer.Gone("shut off", Optional.empty()),
            Hosts.AT));
  }

  private ClusterState stopped(GuestId id) {
    command(new Command.StopGuest(id, Duration.ZERO), Optional.empty());
    var p = (GuestPhase.Stopping) state.guest(id).orElseThrow().phase();
    happens(
        new Event.OrderAnswered(
            p.host(),
            p.boot(),
            new dev.haven.model.wire.Order.StopGuest(id, p.epoch(), Duration.ZERO),
            new dev.haven.model.wire.Answer.Gone("shut off", Optional.empty()),
            Hosts.AT));
    return state;
  }
}
