package dev.haven.core.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.Capacity;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Rule;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** One row a case, with the reason that people read. */
class PlacementTest {
  private static final GuestSpec PLAIN = guest("web", 1024, 1);

  private static GuestSpec guest(String name, long memoryMib, int vcpus, Rule... rules) {
    return new GuestSpec(
        new GuestId(name),
        "uuid-" + name,
        memoryMib,
        vcpus,
        0,
        "<domain/>",
        Map.of("app", name),
        List.of(rules),
        GuestSpec.Restart.ANYWHERE,
        3);
  }

  private static Candidate host(
      String name, String unable, long memoryMib, int cpus, GuestSpec... guests) {
    var all = List.of(guests);
    return new Candidate(
        new HostSpec(
            new HostId(name),
            Optional.empty(),
            "",
            List.of(),
            List.of(),
            Map.of("disk", name.equals("a") ? "fast" : "slow"),
            Optional.empty(),
            1024,
            4),
        new Capacity(memoryMib, cpus, "test"),
        unable,
        all.stream().mapToLong(Candidate::reservedMib).sum(),
        all.stream().mapToInt(GuestSpec::vcpus).sum(),
        all.stream().anyMatch(g -> !g.rules().isEmpty()),
        () -> all);
  }

  private static Rule onHosts(boolean avoid, boolean strict, String... hosts) {
    return new Rule.OnHosts(
        Set.of(Stream.of(hosts).map(HostId::new).toArray(HostId[]::new)), Map.of(), avoid, strict);
  }

  static Stream<Arguments> cases() {
    return Stream.of(
        Arguments.of(PLAIN, host("a", "", 8192, 4), true, "85% free with it there"),
        Arguments.of(PLAIN, host("a", "is silent", 8192, 4), false, "is silent"),
        Arguments.of(
            PLAIN,
            host("a", "", 2048, 4),
            false,
            "needs 1104 MiB with QEMU's overhead, 1024 MiB free"),
        Arguments.of(
            guest("big", 1024, 5),
            host("a", "", 8192, 4),
            false,
            "has 4 CPUs, the guest alone wants 5"),
        Arguments.of(
            guest("last", 512, 2),
            host("a", "", 16384, 1, guest("x", 512, 1), guest("y", 512, 2)),
            false,
            "needs 2 vCPUs, 3 of 4 are taken (1 CPUs, overcommit 4.0)"),
        Arguments.of(
            guest("web", 512, 1, onHosts(false, true, "b")),
            host("a", "", 8192, 4),
            false,
            "rule: on b"),
        Arguments.of(
            guest("web", 512, 1, onHosts(true, true, "a")),
            host("a", "", 8192, 4),
            false,
            "rule: not on a"),
        Arguments.of(
            guest("web", 512, 1, new Rule.OnHosts(Set.of(), Map.of("disk", "fast"), false, true)),
            host("b", "", 8192, 4),
            false,
            "rule: on disk=fast"),
        Arguments.of(
            guest("web", 512, 1, onHosts(false, false, "b")),
            host("a", "", 8192, 4),
            true,
            "92% free with it there"), // a preference never keeps a guest from running
        Arguments.of(
            guest("web", 512, 1, new Rule.WithGuests("app", "db", true, true)),
            host("a", "", 8192, 4, guest("db", 512, 1)),
            false,
            "rule: apart from app=db"),
        Arguments.of(
            PLAIN,
            host(
                "a",
                "",
                8192,
                4,
                guest("db", 512, 1, new Rule.WithGuests("app", "web", true, true))),
            false,
            "guest db there stays apart from app=web")); // the rule is the other's
  }

  @ParameterizedTest
  @MethodSource("cases")
  void aHostIsJudgedWithAReason(GuestSpec guest, Candidate host, boolean fits, String reason) {
    var verdict =
        Placement.rank(List.of(guest), List.of(host), Optional.empty(), Set.of()).getFirst();
    assertThat(verdict.fits()).as("%s", verdict).isEqualTo(fits);
    assertThat(verdict.reasons()).contains(reason);
    assertThat(Placement.best(guest, List.of(host), Optional.empty(), Set.of()).isPresent())
        .isEqualTo(fits);
  }

  @Test
  void theEmptiestHostIsChosenAndAmongEqualsTheFirstByName() {
    var guest = PLAIN;
    var a = host("a", "", 8192, 4, guest("x", 1024, 1));
    var b = host("b", "", 8192, 4);
    var c = host("c", "", 8192, 4);
    assertThat(Placement.best(guest, List.of(c, a, b), Optional.empty(), Set.of()))
        .contains(new HostId("b"));
  }

  @Test
  void stayingBeatsALittleMoreRoomAndAFailureBeatsStaying() {
    var a = host("a", "", 8192, 4, guest("x", 1024, 1));
    var b = host("b", "", 8192, 4);
    var home = Optional.of(new HostId("a"));
    assertThat(Placement.best(PLAIN, List.of(a, b), home, Set.of())).contains(new HostId("a"));
    assertThat(Placement.best(PLAIN, List.of(a, b), home, Set.of(new HostId("a"))))
        .contains(new HostId("b"));
    assertThat(Placement.best(PLAIN, List.of(a), home, Set.of(new HostId("a"))))
        .as("a host on which it failed is better than none")
        .contains(new HostId("a"));
  }

  @Test
  void guestsThatStayTogetherGetOneHostThatSuitsAllOfThem() {
    var db = guest("db", 3000, 1, onHosts(true, true, "c"));
    var web = guest("web", 3000, 1, new Rule.WithGuests("app", "db", false, true));
    var small = host("a", "", 6000, 4);
    var roomy = host("b", "", 9000, 4);
    var avoided = host("c", "", 16384, 4);
    assertThat(
            Placement.best(
                List.of(db, web),
                List.of(small, roomy, avoided),
                List.of(small, roomy, avoided),
                Optional.empty(),
                Set.of()))
        .contains(new HostId("b"));
    assertThat(
            Placement.rank(List.of(db, web), List.of(avoided), Optional.empty(), Set.of())
                .getFirst()
                .reasons())
        .containsExactly("guest db: rule: not on c");
  }

  @Test
  void aFollowerGoesWhereTheOtherOneIsAndAnywhereWhileThatIsOff() {
    var follower = guest("web", 512, 1, new Rule.Follows(new GuestId("db"), true));
    var a = host("a", "", 8192, 4, guest("db", 512, 1));
    var b = host("b", "", 8192, 4);
    assertThat(Placement.best(follower, List.of(b), Optional.empty(), Set.of()))
        .contains(new HostId("b"));
    assertThat(Placement.best(follower, List.of(a, b), Optional.empty(), Set.of()))
        .contains(new HostId("a"));
    assertThat(
            Placement.best(
                List.of(follower), List.of(b), List.of(a, b), Optional.empty(), Set.of()))
        .as("the host of the other one is busy: it waits for it")
        .isEmpty();
  }

  @Test
  void theOtherDimensionOfLoadBreaksATie() {
    var full = guest("x", 2048, 8);
    var lean = guest("x", 2048 + 7 * 8, 1); // what QEMU takes for 7 more processors
    assertThat(
            Placement.best(
                PLAIN,
                List.of(host("a", "", 8192, 16, full), host("b", "", 8192, 16, lean)),
                Optional.empty(),
                Set.of()))
        .as("memory is as tight on both, and b has more processors left")
        .contains(new HostId("b"));
  }
}
