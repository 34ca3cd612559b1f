package dev.haven.model.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.Json;
import dev.haven.model.api.Views;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Hosts are upgraded one by one, so an agent and a voter of two versions speak to each other. */
class OlderPeersTest {
  private static final String GUEST = "\"guest\":\"web\",\"epoch\":3";

  /** By record, what each of its messages has said since its first version. */
  private static final Map<Class<?>, String> REQUIRED =
      Map.ofEntries(
          Map.entry(
              FromAgent.Hello.class,
              "\"version\":1,\"host\":\"a\",\"boot\":\"b-1\",\"process\":\"p-1\",\"heartbeatKey\":\"k\",\"capacity\":{\"memoryMib\":1,\"cpus\":1,\"hypervisor\":\"q\"},\"agentVersion\":\"1\",\"highestTerm\":1,\"libvirtUp\":true,\"domains\":[]"),
          Map.entry(FromAgent.Domains.class, "\"version\":1,\"libvirtUp\":true,\"domains\":[]"),
          Map.entry(
              FromAgent.Guarded.class,
              "\"version\":1,\"watchdog\":{\"kind\":\"HARDWARE\",\"identity\":\"i\",\"timeout\":\"PT10S\",\"resetThisHost\":true,\"enforcing\":true}"),
          Map.entry(FromAgent.DisksSeen.class, "\"version\":1,\"question\":1,\"disks\":[]"),
          Map.entry(
              FromAgent.AnswerFrame.class,
              "\"version\":1,\"order\":1,\"answer\":{\"type\":\"Done\",\"detail\":\"\"}"),
          Map.entry(
              FromAgent.Progress.class,
              "\"version\":1,\"order\":1,\"guest\":\"web\",\"total\":1,\"remaining\":1,\"rate\":1"),
          Map.entry(
              ToAgent.OrderFrame.class,
              "\"version\":1,\"order\":1,\"term\":1,\"generation\":1,\"what\":{\"type\":\"PauseGuest\","
                  + GUEST
                  + "}"),
          Map.entry(ToAgent.Welcome.class, "\"version\":1,\"term\":1,\"generation\":1"),
          Map.entry(
              ToAgent.Leased.class,
              "\"version\":1,\"term\":1,\"state\":1,\"exclusives\":{},\"enforce\":true"),
          Map.entry(ToAgent.TestWatchdog.class, "\"version\":1,\"term\":1"),
          Map.entry(ToAgent.LookAtDisks.class, "\"version\":1,\"question\":1,\"disks\":[]"),
          Map.entry(
              ToAgent.Voters.class,
              "\"version\":1,\"voters\":[{\"name\":\"a\",\"raft\":\"r\",\"api\":\"p\",\"networks\":{}}]"),
          Map.entry(ToAgent.NotLeader.class, "\"version\":1"),
          Map.entry(ToAgent.Rejected.class, "\"version\":1,\"reason\":\"\""),
          Map.entry(Order.StartGuest.class, GUEST + ",\"domainXml\":\"<domain/>\""),
          Map.entry(Order.StopGuest.class, GUEST + ",\"grace\":\"PT0S\""),
          Map.entry(Order.ConfirmGone.class, "\"guest\":\"web\",\"refuse\":3,\"destroy\":true"),
          Map.entry(Order.Precheck.class, GUEST + ",\"domainXml\":\"<domain/>\""),
          Map.entry(
              Order.MigrateOut.class,
              GUEST
                  + ",\"targetEpoch\":4,\"target\":\"b\",\"targetUri\":\"u\",\"targetAddress\":\"\",\"bandwidthMibPerSecond\":0"),
          Map.entry(Order.AbortMigration.class, GUEST + ",\"targetEpoch\":4"),
          Map.entry(Order.ResumeGuest.class, GUEST + ",\"arrived\":true"),
          Map.entry(Order.PauseGuest.class, GUEST),
          Map.entry(Order.ForgetGuest.class, GUEST),
          Map.entry(Answer.Done.class, "\"detail\":\"\""),
          Map.entry(Answer.Gone.class, "\"detail\":\"\""),
          Map.entry(
              Answer.StillThere.class,
              "\"domain\":{\"name\":\"web\",\"state\":\"RUNNING\",\"epoch\":3,\"job\":false,\"detail\":\"\"}"),
          Map.entry(Answer.Migrated.class, "\"total\":\"PT1S\",\"detail\":\"\""),
          Map.entry(Answer.Failed.class, "\"reason\":\"\""),
          Map.entry(Answer.Unknown.class, "\"reason\":\"\""),
          Map.entry(Answer.Refused.class, "\"reason\":\"\""),
          Map.entry(Answer.NotNoted.class, "\"reason\":\"\""));

  static List<Class<?>> messages() {
    var all = new ArrayList<Class<?>>();
    Stream.of(FromAgent.class, ToAgent.class, Order.OfGuest.class, Answer.class)
        .forEach(kind -> all.addAll(List.of(kind.getPermittedSubclasses())));
    return all;
  }

  @ParameterizedTest
  @MethodSource("messages")
  void aMessageIsReadFromOneThatSaysNoMoreThanItsFirstVersion(Class<?> message) {
    assertThat(REQUIRED).as("a new message stands here too").containsKey(message);
    var kind = message.getInterfaces()[0];
    var text = "{\"type\":\"%s\",%s}".formatted(message.getSimpleName(), REQUIRED.get(message));
    assertThat(Json.read(text, kind)).isInstanceOf(message);
  }

  @Test
  void anAgentThatKnowsOfNoWarningsHasNone() {
    var text = "{\"type\":\"Hello\",%s}".formatted(REQUIRED.get(FromAgent.Hello.class));
    var hello = (FromAgent.Hello) Json.read(text, FromAgent.class);
    assertThat(hello.warnings()).isEmpty();
    assertThat(hello.hazards()).isEmpty();
    var device =
        Json.read(
            "{\"device\":{\"name\":\"d\",\"kind\":\"sbd\",\"settings\":{}},\"state\":\"ok\",\"detail\":\"\"}",
            Views.Device.class);
    assertThat(device.behaviour()).isEmpty();
  }

  @Test
  void aListWithoutWhichAMessageWouldMeanSomethingElseIsNotTakenForEmpty() {
    assertThatThrownBy(
            () ->
                Json.read(
                    "{\"type\":\"Leased\",\"version\":1,\"term\":1,\"state\":1,\"enforce\":true}",
                    ToAgent.class))
        .hasMessageContaining("exclusives");
    assertThatThrownBy(
            () ->
                Json.read(
                    "{\"type\":\"Domains\",\"version\":1,\"libvirtUp\":true}", FromAgent.class))
        .hasMessageContaining("domains");
  }
}
