package dev.haven.agent;

import dev.haven.model.BootId;
import dev.haven.model.DiskUse;
import dev.haven.model.GuestDisk;
import dev.haven.model.HostId;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.ToAgent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds out what the disks of a guest are on this host, so that two names of one image, or an image
 * and its backing file, are not taken for two disks. Opens nothing but the headers of images, for
 * reading.
 *
 * <p>Storage that hangs keeps one of a few threads of this class for ever, and nothing else of the
 * agent: what has no thread left is not looked at, and the answer says so.
 */
final class DiskLook implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(DiskLook.class);

  /** The leader waits for 5 s. */
  private static final Duration WITHIN = Duration.ofSeconds(4);

  private static final int THREADS = 4;
  private static final int WAITING = 256;

  /** Of one guest. More is a definition that nobody wrote by hand. */
  private static final int DISKS = 64;

  private static final int CHAIN = 64;

  /** Of an answer: what is longer is not said, as if it had not been looked at. */
  private static final int CHARACTERS = 100_000;

  private static final int FILE_KIND = 0xF000;
  private static final int REGULAR = 0x8000;
  private static final int BLOCK_DEVICE = 0x6000;

  /** File systems whose files are the same ones on every host that mounts them. */
  private static final Set<String> OF_THE_NETWORK =
      Set.of("nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "fuse.glusterfs", "lustre", "9p");

  private final String scope;
  private final Path sys;
  private final Path mounts;
  private final Duration within;
  private final Consumer<FromAgent> answers;
  private final ThreadPoolExecutor lookers;

  /**
   * @param boot what the kernel calls its devices holds for one boot
   */
  DiskLook(HostId host, BootId boot, Consumer<FromAgent> answers) {
    this(host, boot, Path.of("/sys/dev/block"), Path.of("/proc/self/mountinfo"), WITHIN, answers);
  }

  DiskLook(
      HostId host,
      BootId boot,
      Path sys,
      Path mounts,
      Duration within,
      Consumer<FromAgent> answers) {
    this.within = within;
    this.scope = "host %s in boot %s".formatted(host, boot);
    this.sys = sys;
    this.mounts = mounts;
    this.answers = answers;
    this.lookers =
        new ThreadPoolExecutor(
            THREADS,
            THREADS,
            30,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(WAITING),
            Thread.ofPlatform().daemon().name("disk-look-", 1).factory());
    lookers.allowCoreThreadTimeOut(true);
  }

  /** Returns at once; the answer follows within 4 s. */
  void look(ToAgent.LookAtDisks question) {
    Thread.ofVirtual()
        .name("disk-look")
        .start(
            () ->
                answers.accept(
                    new FromAgent.DisksSeen(
                        FromAgent.VERSION, question.question(), seen(question.disks()))));
  }

  /** Those that could be looked at in time. */
  List<FromAgent.DiskSeen> seen(List<GuestDisk> disks) {
    record Looking(GuestDisk disk, Future<Set<DiskUse>> found) {}
    var looking = new ArrayList<Looking>();
    for (var disk : disks.stream().limit(DISKS).toList()) {
      try {
        looking.add(new Looking(disk, lookers.submit(() -> behind(disk))));
      } catch (RejectedExecutionException e) {
        log.warn("disk {}: too many others are being looked at", disk.use().what());
      }
    }
    long until = System.nanoTime() + within.toNanos();
    var seen = new ArrayList<FromAgent.DiskSeen>();
    int said = 0;
    for (var one : looking) {
      try {
        var found = one.found().get(Math.max(0, until - System.nanoTime()), TimeUnit.NANOSECONDS);
        said += found.stream().mapToInt(use -> use.what().length() + 100).sum();
        if (said < CHARACTERS) {
          seen.add(new FromAgent.DiskSeen(one.disk().use().what(), List.copyOf(found)));
        }
      } catch (ExecutionException e) {
        log.info("disk {}: {}", one.disk().use().what(), String.valueOf(e.getCause()));
      } catch (TimeoutException e) {
        one.found().cancel(true);
        log.warn("disk {}: its storage does not answer", one.disk().use().what());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        break;
      }
    }
    return seen;
  }

  private Set<DiskUse> behind(GuestDisk disk) throws IOException {
    var uses = new LinkedHashSet<DiskUse>();
    if (disk.path().isPresent()) {
      walk(
          uses,
          Path.of(disk.path().get()),
          disk.format(),
          disk.use().writable(),
          disk.use().shareable(),
          0);
    }
    return uses;
  }

  private void walk(
      Set<DiskUse> uses, Path path, String format, boolean writable, boolean shareable, int depth)
      throws IOException {
    if (depth > CHAIN) {
      throw new IOException("more than %d images behind each other".formatted(CHAIN));
    }
    if (!Files.exists(path)) {
      // it is made later, firmware settings say: where it will lie is known
      var folder = path.getParent();
      if (folder == null || !Files.isDirectory(folder)) {
        throw new IOException(path + " is not there");
      }
      add(uses, "file " + folder.toRealPath().resolve(path.getFileName()), writable, shareable);
      return;
    }
    var attributes = Files.readAttributes(path, "unix:dev,ino,rdev,mode");
    switch ((int) number(attributes, "mode") & FILE_KIND) {
      case REGULAR -> {
        var real = path.toRealPath();
        add(uses, "file " + real, writable, shareable);
        add(
            uses,
            "inode %d on %s"
                .formatted(number(attributes, "ino"), fileSystem(number(attributes, "dev"))),
            writable,
            shareable);
      }
      case BLOCK_DEVICE -> {
        long device = number(attributes, "rdev");
        add(uses, device(device), writable, shareable);
        for (var part : parts(device)) {
          add(uses, part, writable, shareable);
        }
        var loop = text(sys.resolve(name(device)).resolve("loop/backing_file"));
        if (!loop.isEmpty()) {
          walk(uses, Path.of(loop), "raw", writable, shareable, depth + 1);
        }
      }
      default -> throw new IOException(path + " is neither a file nor a block device");
    }
    if (format.equals("qcow2")) {
      header(uses, path, writable, shareable, depth);
    }
  }

  private void header(Set<DiskUse> uses, Path path, boolean writable, boolean shareable, int depth)
      throws IOException {
    var header = Qcow2.read(path);
    for (var data : header.dataFiles()) {
      walk(uses, beside(path, data), "raw", writable, shareable, depth + 1);
    }
    var backing = header.backing();
    if (backing.isEmpty()) {
      return;
    }
    if (backing.startsWith("json:")
        || backing.matches("[a-z0-9+]{2,}:.*") && !backing.startsWith("file:")) {
      add(uses, "backing " + backing, false, shareable);
      return;
    }
    var file = beside(path, backing.startsWith("file:") ? backing.substring(5) : backing);
    add(uses, "file " + file.normalize(), false, shareable);
    var format =
        header.backingFormat().isEmpty() && Qcow2.is(file) ? "qcow2" : header.backingFormat();
    walk(uses, file, format, false, shareable, depth + 1);
  }

  private static Path beside(Path image, String name) {
    return image.resolveSibling(name);
  }

  private static void add(Set<DiskUse> uses, String what, boolean writable, boolean shareable) {
    uses.add(
        new DiskUse(
            what.length() > DiskUse.LONGEST ? what.substring(0, DiskUse.LONGEST) : what,
            writable,
            shareable));
  }

  private static long number(Map<String, Object> attributes, String name) {
    return attributes.get(name) instanceof Number n ? n.longValue() : 0;
  }

  /** As below /sys/dev/block: major:minor. */
  private static String name(long device) {
    long major = device >> 8 & 0xFFF | device >> 32 & ~0xFFFL;
    long minor = device & 0xFF | device >> 12 & ~0xFFL & 0xFFFFFFFFL;
    return major + ":" + minor;
  }

  /** By what does not change where it can, else by the kernel's number for it in this boot. */
  private String device(long device) throws IOException {
    return device(name(device));
  }

  private String device(String numbers) throws IOException {
    var folder = sys.resolve(numbers);
    var mapped = text(folder.resolve("dm/uuid"));
    if (!mapped.isEmpty()) {
      return "device " + mapped;
    }
    var part = text(folder.resolve("partition"));
    if (!part.isEmpty()) {
      var whole = text(folder.toRealPath().resolveSibling("dev"));
      if (!whole.isEmpty()) {
        return device(whole) + " part " + part;
      }
    }
    for (var file : List.of("wwid", "device/wwid")) {
      var wwid = text(folder.resolve(file)).replaceAll("\\s+", " ");
      if (!wwid.isEmpty()) {
        return "device " + wwid;
      }
    }
    return "device %s of %s".formatted(numbers, scope);
  }

  /** A guest that writes a whole disk writes its partitions too. */
  private List<String> parts(long device) throws IOException {
    var folder = sys.resolve(name(device));
    var parts = new ArrayList<String>();
    if (Files.isDirectory(folder)) {
      try (var all = Files.newDirectoryStream(folder.toRealPath())) {
        for (var inside : all) {
          var part = text(inside.resolve("partition"));
          if (!part.isEmpty()) {
            parts.add(device(device) + " part " + part);
          }
        }
      }
    }
    return parts;
  }

  private String fileSystem(long device) throws IOException {
    if (Files.exists(sys.resolve(name(device)))) {
      return device(device);
    }
    for (var line : Files.readAllLines(mounts)) {
      // 36 35 98:0 /root /mount/point options - type source …
      var words = line.split(" ");
      int dash = List.of(words).indexOf("-");
      if (words.length > 3
          && words[2].equals(name(device))
          && dash > 0
          && dash + 2 < words.length) {
        var type = words[dash + 1];
        if (OF_THE_NETWORK.contains(type)) {
          return (type.startsWith("nfs") ? "nfs" : type) + " " + words[dash + 2];
        }
      }
    }
    return "file system %s of %s".formatted(name(device), scope);
  }

  private static String text(Path file) {
    try {
      return Files.isRegularFile(file) ? Files.readString(file).strip() : "";
    } catch (IOException e) {
      return "";
    }
  }

  @Override
  public void close() {
    lookers.shutdownNow();
  }
}
