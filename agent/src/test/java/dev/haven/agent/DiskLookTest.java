package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.DiskUse;
import dev.haven.model.GuestDisk;
import dev.haven.model.HostId;
import dev.haven.model.wire.FromAgent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an agent finds a disk to be, on real files and images. */
class DiskLookTest {
  @TempDir private Path folder;
  private Path sys = Path.of("/");
  private Path mounts = Path.of("/");
  private final List<DiskLook> looks = new ArrayList<>();

  @BeforeEach
  void kernel() throws Exception {
    folder = folder.toRealPath();
    sys = Files.createDirectory(folder.resolve("sys"));
    mounts = Files.createFile(folder.resolve("mountinfo"));
  }

  @AfterEach
  void close() {
    looks.forEach(DiskLook::close);
  }

  private List<FromAgent.DiskSeen> seen(GuestDisk... disks) {
    var look =
        new DiskLook(
            new HostId("a"), new BootId("boot-1"), sys, mounts, Duration.ofSeconds(2), _ -> {});
    looks.add(look);
    return look.seen(List.of(disks));
  }

  private List<DiskUse> behind(Path path, String format) {
    return seen(disk(path, format, true)).stream().flatMap(s -> s.behind().stream()).toList();
  }

  private static GuestDisk disk(Path path, String format, boolean writable) {
    return new GuestDisk(
        new DiskUse("file " + path, writable, false), Optional.of(path.toString()), format);
  }

  private static void run(String... command) throws Exception {
    var process = new ProcessBuilder(command).redirectErrorStream(true).start();
    var said = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(said).isZero();
  }

  /** They share something that one of the two writes. */
  private static boolean exclude(List<DiskUse> one, List<DiskUse> other) {
    return one.stream().anyMatch(a -> other.stream().anyMatch(a::excludes));
  }

  @Test
  void aLinkIsTheFileThatItLeadsTo() throws Exception {
    var image = Files.write(folder.resolve("x.img"), new byte[512]);
    var symbolic = Files.createSymbolicLink(folder.resolve("y.img"), image);
    var hard = Files.createLink(folder.resolve("z.img"), image);
    var other = Files.write(folder.resolve("other.img"), new byte[512]);
    assertThat(exclude(behind(image, "raw"), behind(symbolic, "raw"))).isTrue();
    assertThat(exclude(behind(image, "raw"), behind(hard, "raw"))).isTrue();
    assertThat(exclude(behind(image, "raw"), behind(other, "raw"))).isFalse();
  }

  @Test
  void anImageStandsOnAllThatIsBehindIt() throws Exception {
    var base = folder.resolve("base.qcow2");
    run("qemu-img", "create", "-q", "-f", "qcow2", base.toString(), "1M");
    var middle = folder.resolve("middle.qcow2");
    run(
        "qemu-img",
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        "base.qcow2",
        "-F",
        "qcow2",
        middle.toString());
    var web = folder.resolve("web.qcow2");
    run(
        "qemu-img",
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        middle.toString(),
        "-F",
        "qcow2",
        web.toString());
    var db = folder.resolve("db.qcow2");
    run(
        "qemu-img",
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        middle.toString(),
        "-F",
        "qcow2",
        db.toString());
    assertThat(behind(web, "qcow2"))
        .contains(
            new DiskUse("file " + base, false, false),
            new DiskUse("file " + middle, false, false),
            new DiskUse("file " + web, true, false));
    assertThat(exclude(behind(web, "qcow2"), behind(db, "qcow2")))
        .as("two guests on one base image")
        .isFalse();
    assertThat(exclude(behind(web, "qcow2"), behind(base, "qcow2")))
        .as("a guest that writes the base image of another")
        .isTrue();
  }

  @Test
  void anImageWithItsDataElsewhereWritesThere() throws Exception {
    var data = folder.resolve("data.raw");
    var web = folder.resolve("web.qcow2");
    run("qemu-img", "create", "-q", "-f", "qcow2", "-o", "data_file=" + data, web.toString(), "1M");
    assertThat(behind(web, "qcow2")).contains(new DiskUse("file " + data, true, false));
  }

  @Test
  void aRawDiskIsNoImageWhateverItsGuestHasWrittenThere() throws Exception {
    var secret = Files.write(folder.resolve("secret"), new byte[512]);
    var web = folder.resolve("web.img");
    run(
        "qemu-img",
        "create",
        "-q",
        "-f",
        "qcow2",
        "-b",
        secret.toString(),
        "-F",
        "raw",
        web.toString(),
        "1M");
    assertThat(behind(web, "raw")).extracting(DiskUse::what).doesNotContain("file " + secret);
  }

  @Test
  void whatIsMadeLaterIsKnownByWhereItWillLie() throws Exception {
    var real = Files.createDirectory(folder.resolve("real"));
    var link = Files.createSymbolicLink(folder.resolve("link"), real);
    assertThat(behind(link.resolve("VARS.fd"), ""))
        .containsExactly(new DiskUse("file " + real.resolve("VARS.fd"), true, false));
    assertThat(seen(disk(folder.resolve("nowhere/x"), "", true))).isEmpty();
  }

  @Test
  void aFileIsTheSameOneOnEveryHostThatMountsItsFileSystem() throws Exception {
    var image = Files.write(folder.resolve("x.img"), new byte[512]);
    long inode = ((Number) Files.getAttribute(image, "unix:ino")).longValue();
    long device = ((Number) Files.getAttribute(image, "unix:dev")).longValue();
    var numbers = (device >> 8 & 0xFFF) + ":" + (device & 0xFF | device >> 12 & 0xFFF00);
    assertThat(behind(image, "raw"))
        .as("of no known file system: of this host in this boot alone")
        .contains(
            new DiskUse(
                "inode %d on file system %s of host a in boot boot-1".formatted(inode, numbers),
                true,
                false));
    Files.writeString(
        mounts, "36 35 %s / /srv rw - nfs4 10.0.0.5:/srv rw,vers=4.2\n".formatted(numbers));
    assertThat(behind(image, "raw"))
        .contains(new DiskUse("inode %d on nfs 10.0.0.5:/srv".formatted(inode), true, false));
    Files.createDirectories(sys.resolve(numbers + "/dm"));
    Files.writeString(sys.resolve(numbers + "/dm/uuid"), "LVM-abc\n");
    assertThat(behind(image, "raw"))
        .contains(new DiskUse("inode %d on device LVM-abc".formatted(inode), true, false));
  }

  @Test
  void storageThatHangsKeepsNothingElseFromBeingLookedAt() throws Exception {
    Files.delete(mounts);
    run("mkfifo", mounts.toString()); // whoever reads it waits for ever
    var image = Files.write(folder.resolve("x.img"), new byte[512]);
    var later = folder.resolve("later.img");
    assertThat(seen(disk(image, "raw", true), disk(later, "raw", true)))
        .extracting(FromAgent.DiskSeen::disk)
        .containsExactly("file " + later);
  }
}
