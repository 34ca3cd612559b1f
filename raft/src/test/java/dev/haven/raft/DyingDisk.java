package dev.haven.raft;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;

/** A disk that takes nothing any more after so many fsyncs. */
final class DyingDisk extends FaultyDisk {
  private final AtomicInteger left = new AtomicInteger(Integer.MAX_VALUE);

  DyingDisk(Disk real) {
    super(real);
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
  void write(DiskFile file, long position, ByteBuffer from) throws IOException {
    alive();
    super.write(file, position, from);
  }

  @Override
  void sync(DiskFile file) throws IOException {
    alive();
    super.sync(file);
    left.decrementAndGet();
  }

  @Override
  public void rename(String from, String to) throws IOException {
    alive();
    super.rename(from, to);
  }

  @Override
  public void delete(String name) throws IOException {
    alive();
    super.delete(name);
  }

  @Override
  public void syncDirectory() throws IOException {
    alive();
    super.syncDirectory();
  }
}
