package dev.haven.core.ha;

import static dev.haven.core.ha.Hosts.A;
import static dev.haven.core.ha.Hosts.B;
import static dev.haven.core.ha.Hosts.BOOT;
import static dev.haven.core.ha.Hosts.WEB;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.Capacity;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** A guest goes only where its machine is. */
class MachinesTest {
  private static ClusterState offers(ClusterState state, HostId host, String... machines) {
    return state.apply(
        new Change.AgentSeated(
            host,
            BOOT,
            new Host.Agent(new ProcessId("p-" + host), "a2V5", "1"),
            new Capacity(8192, 8, "test", Optional.of(List.of(machines)))));
  }

  private static ClusterState pinned(ClusterState state) {
    var spec = Hosts.guest(WEB, 1024);
    return state.apply(
        new Change.GuestDescribed(spec.with(spec.domainXml(), Optional.of("pc-q35-7.2")), true));
  }

  private static Reply migrate(ClusterState state) {
    return HaPolicy.decide(
            state,
            new Event.CommandReceived(
                new RequestId("r"),
                "admin",
                new Command.Migrate(WEB, Optional.of(B)),
                Event.Outlook.NONE,
                Hosts.AT))
        .reply()
        .orElseThrow();
  }

  @Test
  void aHostWithoutItsMachineTakesItNeitherByAMigrationNorByAStart() {
    var state = pinned(Hosts.running(Hosts.online(true, A, B), WEB, A));
    state = offers(offers(state, A, "pc-q35-7.2", "pc-q35-6.2"), B, "pc-q35-6.2");
    assertThat(migrate(state))
        .isInstanceOfSatisfying(
            Reply.Refused.class,
            r ->
                assertThat(r.message())
                    .contains("host b cannot take it: does not offer the machine type pc-q35-7.2"));
    assertThat(Explanations.explain(state, WEB).orElseThrow())
        .anySatisfy(
            v ->
                assertThat(v.reasons())
                    .containsExactly("does not offer the machine type pc-q35-7.2"));
    assertThat(migrate(offers(state, B, "pc-q35-6.2", "pc-q35-7.2")))
        .isInstanceOf(Reply.Accepted.class);
    assertThat(migrate(offers(state, B))).as("nobody knows").isInstanceOf(Reply.Accepted.class);
  }
}
