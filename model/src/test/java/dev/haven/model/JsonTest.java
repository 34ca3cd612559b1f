package dev.haven.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.Reply;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class JsonTest {
  @Test
  void aSealedMessageComesBackAsWhatItWas() {
    var guest = new GuestId("web");
    List<ToAgent> frames =
        List.of(
            new ToAgent.OrderFrame(
                1, 7, 3, 1, new Order.StopGuest(guest, new Epoch(4), Duration.ofSeconds(30))),
            new ToAgent.NotLeader(1, Optional.empty()));
    for (var frame : frames) {
      assertThat(Json.read(Json.bytes(frame), ToAgent.class)).isEqualTo(frame);
    }
    var answer =
        new FromAgent.AnswerFrame(
            1, 7, new Answer.Gone("shut off (crashed)", Optional.of("no such disk")));
    assertThat(Json.read(Json.bytes(answer), FromAgent.class)).isEqualTo(answer);
    var reply = new Reply.Accepted("ok", Optional.of(new OperationId("op-1")), List.of());
    assertThat(Json.read(Json.text(reply), Reply.class)).isEqualTo(reply);
  }

  @Test
  void idsAreStringsAlsoAsKeysAndRulesKeepTheirKind() {
    var spec =
        new GuestSpec(
            new GuestId("web"),
            "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
            2048,
            2,
            0,
            "<domain/>",
            Map.of("tier", "front"),
            List.of(
                new Rule.OnHosts(Set.of(new HostId("a")), Map.of(), true, false),
                new Rule.Failback(Set.of(new HostId("a")), Map.of("rack", "1")),
                new Rule.After(Set.of(new GuestId("db"))),
                new Rule.Follows(new GuestId("db"), true),
                new Rule.Partial(),
                new Rule.WithGuests("tier", "front", true, true)),
            GuestSpec.Restart.ANYWHERE,
            3);
    var request =
        new CommandRequest(new RequestId("r"), new Command.CreateGuest(spec, true), false);
    assertThat(Json.read(Json.text(request), CommandRequest.class)).isEqualTo(request);
    assertThat(Json.text(request))
        .contains("\"id\":\"web\"")
        .contains("\"type\":\"CreateGuest\"")
        .contains("\"type\":\"WithGuests\"");
  }

  @Test
  void whatOlderAgentsAndVotersDoNotSayIsNotThere() {
    var report =
        Json.read(
            "{\"name\":\"web\",\"state\":\"RUNNING\",\"epoch\":1,\"job\":false,\"detail\":\"\"}",
            DomainReport.class);
    assertThat(report.health()).isEmpty();
    var leased =
        Json.read(
            "{\"type\":\"Leased\",\"version\":1,\"term\":5,\"state\":1,\"exclusives\":{\"web\":3},\"enforce\":false}",
            ToAgent.class);
    assertThat(leased)
        .isEqualTo(
            new ToAgent.Leased(
                1, 5, 1, new TreeMap<>(Map.of(new GuestId("web"), new Epoch(3))), false));
  }

  @Test
  void unknownFieldsAreIgnoredAndMissingOnesNamed() {
    assertThat(Json.read("{\"type\":\"Cordon\",\"host\":\"a\",\"new\":{\"x\":[1]}}", Command.class))
        .isEqualTo(new Command.Cordon(new HostId("a")));
    assertThatThrownBy(() -> Json.read("{\"type\":\"Cordon\"}", Command.class))
        .hasMessageContaining("host");
    assertThatThrownBy(() -> Json.read("{\"type\":\"Explode\"}", Command.class))
        .hasMessageContaining("Explode");
    assertThatThrownBy(() -> Json.read("{\"type\":\"Cordon\",\"host\":\"a b\"}", Command.class))
        .hasMessageContaining("'a b'");
  }

  @Test
  void aMoveNeedNotSayThatItIsForOneGuestAlone() {
    assertThat(
            Json.read(
                "{\"type\":\"Migrate\",\"guest\":\"web\"}", dev.haven.model.api.Command.class))
        .isEqualTo(
            new dev.haven.model.api.Command.Migrate(
                new GuestId("web"), java.util.Optional.empty()));
  }
}
