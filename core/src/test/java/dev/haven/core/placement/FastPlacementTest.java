package dev.haven.core.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.Capacity;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Rule;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The quick ways of placement come to what the thorough one comes to, in clusters by chance. */
class FastPlacementTest {
  private static final long SEED = 4711;

  private final Random random = new Random(SEED);

  private GuestSpec guest(String name) {
    var rules =
        random.nextInt(8) == 0
            ? List.<Rule>of(new Rule.WithGuests("app", "shop", true, true))
            : List.<Rule>of();
    var spec =
        new GuestSpec(
            new GuestId(name),
            "uuid-" + name,
            512L << random.nextInt(6),
            1 + random.nextInt(8),
            0,
            "<domain/>",
            random.nextInt(4) == 0 ? Map.of("app", "shop") : Map.of(),
            rules,
            GuestSpec.Restart.ANYWHERE,
            3);
    return random.nextInt(6) == 0 ? spec.with("<domain/>", Optional.of("pc-q35-9.0")) : spec;
  }

  private Candidate host(int number) {
    var guests = new ArrayList<GuestSpec>();
    for (int i = random.nextInt(5); i > 0; i--) {
      guests.add(guest("there-" + number + "-" + i));
    }
    return new Candidate(
        new HostSpec(
            new HostId("h" + number),
            Optional.empty(),
            "",
            List.of(),
            List.of(),
            Map.of(),
            Optional.empty(),
            1024,
            random.nextInt(3) + 1),
        new Capacity(
            8192L << random.nextInt(4),
            2 + random.nextInt(15),
            "test",
            random.nextBoolean() ? Optional.empty() : Optional.of(List.of("pc-q35-8.2"))),
        random.nextInt(8) == 0 ? "is cordoned" : "",
        guests.stream().mapToLong(Candidate::reservedMib).sum(),
        guests.stream().mapToInt(GuestSpec::vcpus).sum(),
        guests.stream().anyMatch(g -> !g.rules().isEmpty()),
        () -> guests);
  }

  private List<Candidate> hosts() {
    var hosts = new ArrayList<Candidate>();
    for (int i = random.nextInt(12) + 1; i > 0; i--) {
      hosts.add(host(i));
    }
    return hosts;
  }

  @Test
  void theBestHostIsTheFirstOfThoseThatAreRanked() {
    for (int i = 0; i < 3_000; i++) {
      var hosts = hosts();
      var guest = guest("new");
      var ranked = Placement.rank(List.of(guest), hosts, Optional.empty(), Set.of()).getFirst();
      assertThat(Placement.best(guest, hosts, Optional.empty(), Set.of()))
          .as("seed %d, cluster %d", SEED, i)
          .isEqualTo(ranked.fits() ? Optional.of(ranked.host()) : Optional.empty());
    }
  }

  @Test
  void whereThereIsRoomForEachAllAreIndeedPlaced() {
    int room = 0;
    for (int i = 0; i < 3_000; i++) {
      var hosts = hosts();
      var guests = new ArrayList<GuestSpec>();
      for (int g = random.nextInt(6) + 1; g > 0; g--) {
        guests.add(guest("new-" + g));
      }
      if (!Placement.roomForEach(guests, hosts.toArray(Candidate[]::new))) {
        continue;
      }
      room++;
      for (var guest : guests) {
        var best = Placement.best(guest, hosts, Optional.empty(), Set.of());
        assertThat(best).as("seed %d, cluster %d, guest %s", SEED, i, guest.id()).isPresent();
        hosts.replaceAll(h -> h.id().equals(best.orElseThrow()) ? h.with(guest) : h);
      }
    }
    assertThat(room).as("clusters with room").isGreaterThan(200);
  }
}
