package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class OrdersSentTest {
  private static final HostId A = new HostId("a");
  private static final HostId B = new HostId("b");
  private static final BootId BOOT = new BootId("boot-1");
  private static final GuestId WEB = new GuestId("web");
  private static final Order START = new Order.StartGuest(WEB, new Epoch(2), "<domain/>");
  private static final long SECOND = 1_000_000_000L;

  private final OrdersSent sent = new OrdersSent();

  @BeforeEach
  void leads() {
    sent.elected(3);
  }

  private long number(HostId host, long at) {
    return sent.number(host, BOOT, START, at * SECOND).orElse(-1);
  }

  @Test
  void anOrderWithoutAnAnswerIsSentAgainAfterTenSecondsAndNotBefore() {
    assertThat(number(A, 0)).isPositive();
    assertThat(number(A, 9)).isEqualTo(-1);
    assertThat(number(B, 9)).as("another host is another order").isPositive();
    assertThat(number(A, 10)).isPositive();
  }

  @Test
  void anAnswerOfAnotherHostOrBootEndsNothing() {
    long order = number(A, 0);
    assertThat(sent.answered(B, BOOT, order)).isEmpty();
    assertThat(sent.answered(A, new BootId("boot-2"), order)).isEmpty();
    assertThat(sent.answered(A, BOOT, order)).as("the true answer still counts").contains(START);
    assertThat(sent.answered(A, BOOT, order)).as("once").isEmpty();
  }

  @Test
  void afterAnAnswerALostConnectionOrAFailureToSendTheOrderMayLeaveAgainAtOnce() {
    sent.notSent(number(A, 0));
    long order = number(A, 0);
    assertThat(order).isPositive();
    sent.answered(A, BOOT, order);
    assertThat(number(A, 0)).isPositive();
    sent.forget(A);
    assertThat(number(A, 0)).isPositive();
  }

  @Test
  void aNewTermForgetsTheOrdersOfTheOneBeforeAndUsesNoNumberOfIts() {
    long order = number(A, 0);
    sent.came(A, BOOT, new FromAgent.Progress(FromAgent.VERSION, order, WEB, 10, 5, 1));
    sent.elected(4);
    assertThat(sent.answered(A, BOOT, order)).isEmpty();
    assertThat(sent.progress(WEB)).isEmpty();
    assertThat(number(A, 0)).isGreaterThan(order);
  }

  @Test
  void aStartIsUnderWayUntilItsHostsConnectionEnds() {
    number(A, 0);
    assertThat(sent.starts(A, WEB, new Epoch(2))).isTrue();
    assertThat(sent.starts(A, WEB, new Epoch(3))).isFalse();
    assertThat(sent.starts(B, WEB, new Epoch(2))).isFalse();
    sent.forget(A);
    assertThat(sent.starts(A, WEB, new Epoch(2))).isFalse();
  }
}
