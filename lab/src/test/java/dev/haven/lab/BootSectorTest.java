package dev.haven.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class BootSectorTest {
  @ParameterizedTest
  @EnumSource
  void aBiosTakesIt(BootSector sector) {
    assertThat(sector.bytes()).hasSize(512).endsWith(0x55, 0xaa);
  }

  @Test
  void oneHaltsForGood() {
    assertThat(sector(BootSector.HALTED, 4)).containsExactly(0xfa, 0xf4, 0xeb, 0xfd);
  }

  /** The packet that it hands to the BIOS stands where its code expects it. */
  @Test
  void theOtherWritesBehindItself() {
    var packet =
        ByteBuffer.wrap(BootSector.WRITING.bytes(), 0x20, 16).order(ByteOrder.LITTLE_ENDIAN);
    assertThat(packet.getShort()).isEqualTo((short) 16);
    assertThat(packet.getShort()).as("sectors").isEqualTo((short) 8);
    assertThat(packet.getInt()).as("from its own code").isEqualTo(0x7c00);
    assertThat(packet.getLong()).as("not over itself").isEqualTo(8);
  }

  private static int[] sector(BootSector sector, int bytes) {
    var first = new int[bytes];
    for (int i = 0; i < bytes; i++) {
      first[i] = sector.bytes()[i] & 0xff;
    }
    return first;
  }
}
