package dev.haven.core.ha;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.GuestId;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** In which order guests go of which some follow others. */
class FollowersTest {
  private static GuestId guest(int number) {
    return new GuestId("g" + number);
  }

  private static int number(GuestId guest) {
    return Integer.parseInt(guest.value().substring(1));
  }

  @Test
  void eachComesAfterThoseThatItFollowsAndElseInTheOrderGiven() {
    assertThat(
            Followers.ordered(
                List.of(guest(3), guest(1), guest(5)),
                g ->
                    switch (number(g)) {
                      case 3 -> List.of(guest(4), guest(2));
                      case 4 -> List.of(guest(5));
                      default -> List.of();
                    }))
        .containsExactly(guest(5), guest(4), guest(2), guest(3), guest(1));
  }

  @Test
  void guestsThatFollowEachOtherComeOnceEach() {
    assertThat(Followers.ordered(List.of(guest(0), guest(1)), g -> List.of(guest(1 - number(g)))))
        .containsExactly(guest(1), guest(0));
  }

  @Test
  void manyThousandGuestsMayFollowOneAnother() {
    int all = 200_000;
    var guests = IntStream.range(0, all).mapToObj(FollowersTest::guest).toList();
    var order =
        Followers.ordered(
            guests,
            g ->
                Optional.of(number(g) + 1).filter(n -> n < all).map(FollowersTest::guest).stream()
                    .toList());
    assertThat(order).isEqualTo(guests.reversed());
  }
}
