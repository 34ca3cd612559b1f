package dev.haven.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** An id is its text: whoever read it, and wherever from. */
class IdsTest {
  private static final List<List<Object>> TWICE =
      List.of(
          List.of(new HostId("a1"), new HostId(new String("a1")), new HostId("a2")),
          List.of(new GuestId("a1"), new GuestId(new String("a1")), new GuestId("a2")),
          List.of(new BootId("a1"), new BootId(new String("a1")), new BootId("a2")),
          List.of(new ProcessId("a1"), new ProcessId(new String("a1")), new ProcessId("a2")));

  @Test
  void twoIdsOfOneKindAreOneIfTheirTextIs() {
    for (var ids : TWICE) {
      assertThat(ids.get(0)).isEqualTo(ids.get(1)).hasSameHashCodeAs(ids.get(1));
      assertThat(ids.get(0)).isNotEqualTo(ids.get(2));
    }
  }

  @Test
  void aHostIsNoGuestOfTheSameName() {
    assertThat(TWICE.stream().map(ids -> ids.get(0)).distinct()).hasSize(4);
    assertThat((Object) new HostId("a1")).isNotEqualTo("a1").isNotEqualTo(null);
  }
}
