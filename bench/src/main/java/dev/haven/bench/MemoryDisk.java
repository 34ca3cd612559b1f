package dev.haven.bench;

import dev.haven.raft.Disk;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A disk that loses what a real one may lose when the power goes: of every write since the file's
 * last sync each sector is kept or not, by chance, and of the changes of names since the
 * directory's last sync only the first few. It can also be full, slow, or a liar.
 */
final class MemoryDisk {
  private static final int SECTOR = 512;

  private static final class Content {
    private byte[] now = new byte[0];
    private byte[] durable = new byte[0];
    private final List<long[]> dirty = new ArrayList<>();
  }

  private interface NameChange {
    void apply(Map<String, Content> names);
  }

  private final String name;
  private final boolean lies;
  private final Random random;
  private final Map<String, Content> names = new HashMap<>();
  private final Map<String, Content> durableNames = new HashMap<>();
  private final List<NameChange> nameChanges = new ArrayList<>();

  private long capacity = Long.MAX_VALUE;
  private long syncNanos;
  private long syncNanosMax;
  private long syncsUntilPowerLoss = Long.MAX_VALUE;
  private int life;

  /**
   * @param lies whether a sync returns without having synced
   */
  MemoryDisk(String name, boolean lies, long seed) {
    this.name = name;
    this.lies = lies;
    random = new Random(seed);
  }

  /** The disk as one start of a voter sees it; dead after the next power loss. */
  synchronized Disk mount() {
    return new Mounted(life);
  }

  /** Loses the power now. */
  synchronized void losePower() {
    life++;
    syncsUntilPowerLoss = Long.MAX_VALUE;
    int kept = nameChanges.isEmpty() ? 0 : random.nextInt(nameChanges.size() + 1);
    nameChanges.subList(0, kept).forEach(change -> change.apply(durableNames));
    nameChanges.clear();
    names.clear();
    names.putAll(durableNames);
    for (var content : names.values()) {
      var after = content.durable.clone();
      for (var range : content.dirty) {
        for (long at = range[0]; at < range[1]; ) {
          long end = Math.min(range[1], (at / SECTOR + 1) * SECTOR);
          if (random.nextBoolean()) {
            if (after.length < end) {
              after = Arrays.copyOf(after, (int) end);
            }
            System.arraycopy(content.now, (int) at, after, (int) at, (int) (end - at));
          }
          at = end;
        }
      }
      content.dirty.clear();
      content.now = after;
      content.durable = after.clone();
    }
  }

  /** Loses the power at one of the next syncs: just before it or just after it. */
  synchronized void losePowerWithinSyncs(int syncs) {
    syncsUntilPowerLoss = 1L + random.nextInt(syncs);
  }

  synchronized boolean lostPowerSince(int mountedIn) {
    return life != mountedIn;
  }

  synchronized int life() {
    return life;
  }

  /** Leaves so many bytes for new files. */
  synchronized void fill(long free) {
    capacity = used() + free;
  }

  synchronized void unfill() {
    capacity = Long.MAX_VALUE;
  }

  void slow(long millis) {
    slow(millis, millis);
  }

  synchronized void slow(long minMillis, long maxMillis) {
    syncNanos = TimeUnit.MILLISECONDS.toNanos(minMillis);
    syncNanosMax = TimeUnit.MILLISECONDS.toNanos(maxMillis);
  }

  synchronized void wipe() {
    names.clear();
    durableNames.clear();
    nameChanges.clear();
    life++;
  }

  private long used() {
    return names.values().stream().mapToLong(content -> content.now.length).sum();
  }

  private final class Mounted implements Disk {
    private final int mountedIn;

    Mounted(int mountedIn) {
      this.mountedIn = mountedIn;
    }

    private void check() throws IOException {
      if (life != mountedIn) {
        throw new IOException("the power is off");
      }
    }

    /** Before and after a sync are the two moments that matter. */
    private void sync(Runnable effect) throws IOException {
      check();
      boolean lose = --syncsUntilPowerLoss <= 0;
      boolean before = random.nextBoolean();
      if (!lies && !(lose && before)) {
        effect.run();
      }
      if (lose) {
        losePower();
        check();
      }
    }

    private void change(NameChange change) {
      change.apply(names);
      nameChanges.add(change);
    }

    @Override
    public List<String> list() throws IOException {
      synchronized (MemoryDisk.this) {
        check();
        return List.copyOf(names.keySet());
      }
    }

    @Override
    public DiskFile open(String file) throws IOException {
      synchronized (MemoryDisk.this) {
        check();
        var content = names.get(file);
        if (content == null) {
          var made = new Content();
          change(map -> map.put(file, made));
          content = made;
        }
        return new Opened(content);
      }
    }

    @Override
    public void rename(String from, String to) throws IOException {
      synchronized (MemoryDisk.this) {
        check();
        change(
            map -> {
              var content = map.remove(from);
              if (content != null) {
                map.put(to, content);
              }
            });
      }
    }

    @Override
    public void delete(String file) throws IOException {
      synchronized (MemoryDisk.this) {
        check();
        if (names.containsKey(file)) {
          change(map -> map.remove(file));
        }
      }
    }

    @Override
    public void syncDirectory() throws IOException {
      pause();
      synchronized (MemoryDisk.this) {
        sync(
            () -> {
              nameChanges.clear();
              durableNames.clear();
              durableNames.putAll(names);
            });
      }
    }

    private void pause() {
      long nanos;
      synchronized (MemoryDisk.this) {
        nanos = syncNanos + random.nextLong(syncNanosMax - syncNanos + 1);
      }
      if (nanos > 0) {
        LockSupport.parkNanos(nanos);
      }
    }

    @Override
    public long freeBytes() {
      synchronized (MemoryDisk.this) {
        return capacity == Long.MAX_VALUE ? capacity : capacity - used();
      }
    }

    @Override
    public String where() {
      return name;
    }

    @Override
    public void close() {}

    private final class Opened implements DiskFile {
      private final Content content;

      Opened(Content content) {
        this.content = content;
      }

      @Override
      public long size() throws IOException {
        synchronized (MemoryDisk.this) {
          check();
          return content.now.length;
        }
      }

      @Override
      public void read(long position, ByteBuffer into) throws IOException {
        synchronized (MemoryDisk.this) {
          check();
          if (position + into.remaining() > content.now.length) {
            throw new EOFException("ends at " + content.now.length);
          }
          into.put(content.now, (int) position, into.remaining());
        }
      }

      @Override
      public void write(long position, ByteBuffer from) throws IOException {
        synchronized (MemoryDisk.this) {
          check();
          int end = (int) position + from.remaining();
          if (end > content.now.length) {
            if (used() + end - content.now.length > capacity) {
              throw new IOException("No space left on device");
            }
            content.now = Arrays.copyOf(content.now, end);
          }
          content.dirty.add(new long[] {position, end});
          from.get(content.now, (int) position, from.remaining());
        }
      }

      @Override
      public void sync() throws IOException {
        pause();
        synchronized (MemoryDisk.this) {
          MemoryDisk.Mounted.this.sync(
              () -> {
                if (content.durable.length < content.now.length) {
                  content.durable = Arrays.copyOf(content.durable, content.now.length);
                }
                for (var range : content.dirty) {
                  System.arraycopy(
                      content.now,
                      (int) range[0],
                      content.durable,
                      (int) range[0],
                      (int) (range[1] - range[0]));
                }
                content.dirty.clear();
              });
        }
      }

      @Override
      public void close() {}
    }
  }
}
