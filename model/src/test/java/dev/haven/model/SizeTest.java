package dev.haven.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sizes as people write them. */
class SizeTest {
  @ParameterizedTest
  @CsvSource({
    "2GiB,2147483648,2GiB",
    "512MiB,536870912,512MiB",
    "1.5gib,1610612736,1536MiB",
    "1 KiB,1024,1KiB",
    "0MiB,0,0B",
    "7PiB,7881299347898368,7PiB"
  })
  void sizesAreRead(String text, long bytes, String written) {
    assertThat(Size.parse(text)).isEqualTo(new Size(bytes)).hasToString(written);
  }

  @ParameterizedTest
  @CsvSource({
    "2048, size '2048' has no unit; use 2048MiB or 2048GiB",
    "2GB, size '2GB' could count thousands or 1024s; use 2GiB",
    "2g, size '2g' could count thousands or 1024s; use 2GiB",
    "2XiB, has the unknown unit XiB; use one of",
    "-1GiB, is not a number with a unit; write it like 2GiB or 512MiB",
    "lots, is not a number with a unit",
    "'', is not a number with a unit",
    "0.3KiB, is not a whole number of bytes",
    "99999999PiB, is not a whole number of bytes below 8192 PiB"
  })
  void sizesThatCouldBeMisreadAreRefused(String text, String why) {
    assertThatThrownBy(() -> Size.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(why);
  }

  @Test
  void memoryIsCountedUpToWholeMib() {
    assertThat(new Size(1).mib()).isEqualTo(1);
    assertThat(Size.parse("1GiB").mib()).isEqualTo(1024);
  }
}
