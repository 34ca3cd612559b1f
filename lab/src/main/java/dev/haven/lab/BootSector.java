package dev.haven.lab;

import java.util.Arrays;
import java.util.HexFormat;

/** What a guest without a system runs: the first 512 bytes of its disk. */
public enum BootSector {
  /** Stops its processor for good, and takes no time of the host's from then on. */
  HALTED(
      """
      fa      cli
      f4      hlt
      ebfd    jmp 1
      """),

  /** Writes 4 KiB of its disk each second, each time the next ones, from sector 8 on. */
  WRITING(
      """
      31c0         xor ax, ax
      8ed8         mov ds, ax
      fb           sti
      b443         mov ah, 43h       ; 5: the BIOS writes what the packet says
      b000         mov al, 0
      be207c       mov si, 7c20h
      cd13         int 13h
      8306287c08   add word [7c28h], 8
      83162a7c00   adc word [7c2ah], 0
      b91200       mov cx, 18        ; ticks of the clock, of 55 ms
      f4           hlt               ; 1b
      e2fd         loop 1b
      ebe5         jmp 5
      1000 0800 007c 0000            ; 20: the packet: 8 sectors, from where this code stands
      0800 0000 0000 0000            ; 28: the next sector
      """);

  private static final int SIZE = 512;

  private final byte[] bytes;

  BootSector(String source) {
    var hex = new StringBuilder();
    for (var line : source.lines().toList()) {
      for (var word : line.split(" +")) {
        if (!word.matches("([0-9a-f]{2})+")) {
          break;
        }
        hex.append(word);
      }
    }
    bytes = Arrays.copyOf(HexFormat.of().parseHex(hex), SIZE);
    bytes[SIZE - 2] = 0x55;
    bytes[SIZE - 1] = (byte) 0xaa;
  }

  /** 512 of them, with the BIOS's mark at the end. */
  public byte[] bytes() {
    return bytes.clone();
  }
}
