package dev.haven.orchestrator.raft;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** A disk whose fsyncs return only when it goes on. */
final class PausedDisk implements Disk {
  private final Disk real;
  private boolean still;
  private int waiting;

  PausedDisk(Disk real) {
    this.real = real;
  }

  synchronized void standStill() {
    still = true;
  }

  synchronized void goOn() {
    still = false;
    notifyAll();
  }

  /** Whether somebody stands before it. */
  synchronized boolean isWaitedFor() {
    return waiting > 0;
  }

  private synchronized void pass() throws IOException {
    waiting++;
    try {
      while (still) {
        wait();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    } finally {
      waiting--;
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
        file.write(position, from);
      }

      @Override
      public void sync() throws IOException {
        pass();
        file.sync();
      }

      @Override
      public void close() throws IOException {
        file.close();
      }
    };
  }

  @Override
  public void rename(String from, String to) throws IOException {
    real.rename(from, to);
  }

  @Override
  public void delete(String name) throws IOException {
    real.delete(name);
  }

  @Override
  public void syncDirectory() throws IOException {
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
