package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a host has promised survives a crash in the middle of a write, and a disk that is full. */
class TwoCopiesTest {
  @TempDir Path directory;

  private TwoCopies copies() {
    return new TwoCopies(directory.resolve("promises"), "promises", true);
  }

  private String found() throws IOException {
    try (var copies = copies()) {
      return copies.open() instanceof TwoCopies.Found.Text(var text) ? text : "nothing";
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"promises", "promises.copy"})
  void aCrashInTheMiddleOfAWriteLosesNothing(String torn) throws Exception {
    try (var copies = copies()) {
      copies.open();
      copies.write("first");
      copies.write("second, and longer than the first");
    }
    var file = directory.resolve(torn);
    var other = directory.resolve(torn.equals("promises") ? "promises.copy" : "promises");
    var bytes = Files.readAllBytes(file);
    for (int cut = 0; cut < 60; cut++) {
      var half = bytes.clone();
      for (int i = cut; i < 60; i++) {
        half[i] = '#';
      }
      Files.write(file, half);
      Files.write(other, bytes);
      assertThat(found()).as("torn at byte %d", cut).isEqualTo("second, and longer than the first");
    }
    Files.delete(file);
    assertThat(found()).isEqualTo("second, and longer than the first");
  }

  @Test
  void twoDamagedCopiesAreNeverGuessedAt() throws Exception {
    try (var copies = copies()) {
      copies.open();
      copies.write("first");
    }
    for (var name : new String[] {"promises", "promises.copy"}) {
      var file = directory.resolve(name);
      Files.writeString(file, Files.readString(file).replace("first", "worst"));
    }
    try (var copies = copies()) {
      assertThat(copies.open())
          .isInstanceOf(TwoCopies.Found.Damaged.class)
          .asString()
          .contains("promises.copy", "checksum");
      assertThatThrownBy(() -> copies.write("anything")).isInstanceOf(IOException.class);
    }
  }

  @Test
  void nobodyElseCanReadThem() throws Exception {
    var folder = directory.resolve("data");
    TwoCopies.folder(folder);
    try (var copies = new TwoCopies(folder.resolve("orders"), "orders", true)) {
      copies.open();
      copies.write("x");
      for (var file : copies.files()) {
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
            .isEqualTo("rw-------");
      }
    }
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)))
        .isEqualTo("rwx------");
  }

  @Test
  void onADiskThatIsFullAHundredGuestsAreStillMarkedAsPaused() throws Exception {
    assumeTrue("root".equals(System.getProperty("user.name")), "mounting a small disk needs root");
    var disk = Files.createDirectory(directory.resolve("disk"));
    run("mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk.toString());
    try {
      var book = OrderBook.open(disk);
      var all = new TreeMap<GuestId, Epoch>();
      for (int i = 0; i < 100; i++) {
        var guest = new GuestId("guest-with-a-long-name-" + i);
        all.put(guest, new Epoch(3));
        assertThat(book.admit(guest, new Epoch(3), false, OrderBook.Here.NO)).isEmpty();
      }
      assertThatThrownBy(() -> Files.write(disk.resolve("rest"), new byte[1 << 20]))
          .hasMessageContaining("No space left");
      book.pausing(all);
      assertThat(OrderBook.open(disk).paused()).isEqualTo(all);
      book.goesOn(all.keySet());
      assertThat(OrderBook.open(disk).paused()).isEmpty();
    } finally {
      run("umount", "-l", disk.toString());
    }
  }

  private static void run(String... command) throws Exception {
    assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).isZero();
  }
}
