package dev.haven.cli;

import dev.haven.model.Capacity;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.OperationId;
import dev.haven.model.Rule;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** Answers of a cluster with three hosts and two guests. */
final class Samples {
  private Samples() {}

  static final String XML =
      """
      <domain type='qemu'>
        <name>web</name>
        <uuid>6b1f3a52-6f0e-4d0e-9d8a-0d6d1f3c1a11</uuid>
        <memory unit='KiB'>2097152</memory>
        <vcpu>2</vcpu>
        <os><type>hvm</type></os>
      </domain>
      """;

  static Views.Status status() {
    return new Views.Status(
        "lab",
        123,
        4,
        Optional.of("a"),
        List.of(voter("a", true), voter("b", false), voter("c", false)),
        List.of(host("a", "online"), host("b", "online"), host("c", "online")),
        List.of(guest("web", "running", "a"), guest("db", "running", "b")),
        List.of(),
        List.of(),
        List.of(),
        Optional.empty());
  }

  static Views.Status troubled() {
    var healthy = status();
    var fencing = host("c", "fencing");
    return new Views.Status(
        "lab",
        124,
        5,
        Optional.of("a"),
        healthy.voters(),
        List.of(
            host("a", "online"),
            new Views.Host(
                fencing.id(),
                Views.Host.State.FENCING,
                true,
                Optional.of(
                    "its device ipmi does not answer; waits for haven fence c --confirm-dead"),
                Optional.of(Duration.ofSeconds(75)),
                fencing.capacity(),
                512,
                2,
                1,
                "ipmi: no answer",
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                fencing.spec())),
        List.of(guest("web", "running", "a"), guest("db", "waiting", "c")),
        List.of(operation("op-17", "running")),
        List.of(
            new Alarm(
                "fencing-c",
                Alarm.Kind.FENCE_FAILED,
                Alarm.Level.CRITICAL,
                "host c",
                "is silent and its fencing device does not answer",
                Instant.now().minusSeconds(75))),
        List.of("one more voter lost stops the cluster"),
        Optional.empty());
  }

  static Views.Voter voter(String name, boolean leader) {
    return new Views.Voter(
        name, "10.77.1.1:7702", Optional.of("10.77.1.1:7700"), leader, true, 0, "");
  }

  static Views.Host host(String name, String state) {
    return new Views.Host(
        new HostId(name),
        Views.Host.State.valueOf(state.toUpperCase(Locale.ROOT)),
        false,
        Optional.empty(),
        Optional.of(Duration.ofMillis(120)),
        new Capacity(8192, 4, "QEMU 7.2.0, libvirt 9.0.0"),
        2048,
        2,
        1,
        "ipmi answers",
        Optional.of("boot-1"),
        Optional.of("0.1.0"),
        Optional.of("38 s"),
        new HostSpec(
            new HostId(name),
            Optional.of("1cf1-" + name),
            "qemu+tls://%s/system".formatted(name),
            List.of(new Network("control", "10.77.1.1", List.of(Network.Role.CONTROL))),
            List.of(List.of(new FencingDevice("ipmi", "ipmi", Map.of("address", "10.0.0.9")))),
            Map.of("rack", "1"),
            Optional.empty(),
            1024,
            4));
  }

  static Views.Guest guest(String name, String state, String host) {
    return new Views.Guest(
        new GuestId(name),
        Views.Guest.State.valueOf(state.toUpperCase(Locale.ROOT)),
        true,
        Optional.of(new HostId(host)),
        Optional.empty(),
        3,
        "",
        2048,
        2,
        10);
  }

  static GuestSpec spec() {
    return new GuestSpec(
        new GuestId("web"),
        "6b1f3a52-6f0e-4d0e-9d8a-0d6d1f3c1a11",
        2048,
        2,
        10,
        XML,
        Map.of("app", "shop"),
        List.of(new Rule.WithGuests("app", "shop", true, true)),
        GuestSpec.Restart.ANYWHERE,
        3);
  }

  static Views.Operation operation(String id, String state) {
    boolean over = !state.equals("running");
    return new Views.Operation(
        new OperationId(id),
        Views.Operation.Kind.MIGRATE,
        "web",
        Views.Operation.State.valueOf(state.toUpperCase(Locale.ROOT)),
        over ? "web runs on b" : "copies memory",
        over ? 4 : 2,
        4,
        256L << 20,
        1L << 30,
        128L << 20,
        Instant.now().minusSeconds(2),
        over ? Optional.of(Instant.now()) : Optional.empty(),
        "admin");
  }

  static Reply begun(String id) {
    return new Reply.Accepted(
        "web moves from a to b", Optional.of(new OperationId(id)), List.of("move web to b"));
  }

  static Reply accepted(String message) {
    return new Reply.Accepted(message, Optional.empty(), List.of());
  }

  static Reply refused(String message) {
    return new Reply.Refused(Reply.Reason.UNKNOWN_NAME, message);
  }

  static Views.Event event(long index, String subject, String message) {
    return new Views.Event(index, Instant.now(), Fact.Kind.DECISION, subject, message);
  }
}
