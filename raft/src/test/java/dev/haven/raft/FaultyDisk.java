package dev.haven.raft;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** A real disk; what extends it changes what can go wrong with it. */
abstract class FaultyDisk implements Disk {
  private final Disk real;

  FaultyDisk(Disk real) {
    this.real = real;
  }

  void write(DiskFile file, long position, ByteBuffer from) throws IOException {
    file.write(position, from);
  }

  void sync(DiskFile file) throws IOException {
    file.sync();
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
        FaultyDisk.this.write(file, position, from);
      }

      @Override
      public void sync() throws IOException {
        FaultyDisk.this.sync(file);
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
