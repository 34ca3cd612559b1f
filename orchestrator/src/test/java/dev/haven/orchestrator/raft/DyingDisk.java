package dev.haven.orchestrator.raft;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** A disk that takes nothing any more after so many fsyncs. */
final class DyingDisk implements Disk {
  private final Disk real;
  private final AtomicInteger left = new AtomicInteger(Integer.MAX_VALUE);

  DyingDisk(Disk real) {
    this.real = real;
  }

  void diesAfter(int syncs) {
    left.set(syncs);
  }

  private void alive() throws IOException {
    if (left.get() <= 0) {
      throw new IOException("Input/output error");
    }
  }

  @Override
  public List<String> list() throws IOException {
    return real.list();
  }

  @Override
  public DiskFile open(String name) throws IOException {
    var file = real.open(name);
    return new DiskFile() {
      @Override
      public long size() throws IOException {
        return file.size();
      }

      @Override
      public void read(long position, ByteBuffer into) throws IOException {
        file.read(position, into);
      }

      @Override
      public void write(long position, ByteBuffer from) throws IOException {
        alive();
        file.write(position, from);
      }

      @Override
      public void sync() throws IOException {
        alive();
        file.sync();
        left.decrementAndGet();
      }

      @Override
      public void close() throws IOException {
        file.close();
      }
    };
  }

  @Override
  public void rename(String from, String to) throws IOException {
    alive();
    real.rename(from, to);
  }

  @Override
  public void delete(String name) throws IOException {
    alive();
    real.delete(name);
  }

  @Override
  public void syncDirectory() throws IOException {
    alive();
    real.syncDirectory();
  }

  @Override
  public long freeBytes() {
    return real.freeBytes();
  }

  @Override
  public String where() {
    return real.where();
  }

  @Override
  public void close() throws IOException {
    real.close();
  }
}
