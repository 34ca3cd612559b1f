package dev.haven.bench;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class RegisterHistoryTest {
  private final RegisterHistory history = new RegisterHistory();

  @Test
  void anEmptyRegisterMayBeReadAsEmpty() {
    history.read("", 1, 2);
    assertThat(history.fault()).isEmpty();
  }

  @Test
  void aReadAfterAWriteMustSeeIt() {
    history.wrote("x", 1, 2);
    history.read("", 3, 4);
    assertThat(history.fault()).isPresent();
  }

  @Test
  void aReadDuringAWriteMaySeeItOrNot() {
    history.wrote("x", 1, 10);
    history.read("", 2, 3);
    history.read("x", 4, 5);
    assertThat(history.fault()).isEmpty();
  }

  @Test
  void whatWasSeenDuringAWriteStaysSeen() {
    history.wrote("x", 1, 10);
    history.read("x", 2, 3);
    history.read("", 4, 5);
    assertThat(history.fault()).isPresent();
  }

  @Test
  void aWriteOfUnknownOutcomeMayHappenMuchLater() {
    history.mayHaveWritten("x", 1);
    history.wrote("y", 2, 3);
    history.read("y", 4, 5);
    history.read("x", 6, 7);
    assertThat(history.fault()).isEmpty();
  }

  @Test
  void aWriteOfUnknownOutcomeHappensOnce() {
    history.mayHaveWritten("x", 1);
    history.read("x", 2, 3);
    history.wrote("y", 4, 5);
    history.read("x", 6, 7);
    assertThat(history.fault()).isPresent();
  }

  @Test
  void nothingIsReadThatNobodyWrote() {
    history.read("x", 1, 2);
    assertThat(history.fault()).isPresent();
  }
}
