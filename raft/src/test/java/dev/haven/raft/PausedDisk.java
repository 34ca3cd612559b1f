package dev.haven.raft;

import java.io.IOException;

/** A disk whose fsyncs return only when it goes on. */
final class PausedDisk extends FaultyDisk {
  private boolean still;
  private int waiting;

  PausedDisk(Disk real) {
    super(real);
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
  void sync(DiskFile file) throws IOException {
    pass();
    super.sync(file);
  }
}
