package dev.haven.fencing.sbd;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;

/**
 * A file or disk that is read and written past every cache ({@code O_DIRECT}) and whose writes have
 * arrived when they return ({@code O_SYNC}).
 *
 * <p>Not a {@code FileChannel} with {@code ExtendedOpenOption.DIRECT}: that takes the block size of
 * the file system which holds the device file, 4096, for the disk's, and refuses to write one
 * sector of 512 bytes. Writing eight of them would put back seven mailboxes as we last read them.
 */
final class DirectFile implements AutoCloseable {
  private static final int EINTR = 4;
  private static final int O_RDWR = 2;
  private static final int O_SYNC = 0x101000;
  private static final int O_CLOEXEC = 0x80000;
  private static final int ALIGNMENT = 4096;

  private static final Linker LINKER = Linker.nativeLinker();
  private static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");
  private static final StructLayout STATE = Linker.Option.captureStateLayout();
  private static final VarHandle ERRNO_OF =
      STATE.varHandle(StructLayout.PathElement.groupElement("errno"));

  private static final MethodHandle OPEN =
      function(
          "open",
          FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT),
          Linker.Option.firstVariadicArg(2));
  private static final MethodHandle PREAD = transfer("pread");
  private static final MethodHandle PWRITE = transfer("pwrite");
  private static final MethodHandle CLOSE =
      function("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
  private static final MethodHandle STRERROR =
      LINKER.downcallHandle(
          LINKER.defaultLookup().findOrThrow("strerror"), FunctionDescriptor.of(ADDRESS, JAVA_INT));

  private final Path path;
  private final int descriptor;

  private DirectFile(Path path, int descriptor) {
    this.path = path;
    this.descriptor = descriptor;
  }

  /** For reading and writing; it has to exist. */
  static DirectFile open(Path path) throws IOException {
    try (var arena = Arena.ofConfined()) {
      var state = arena.allocate(STATE);
      int descriptor =
          (int)
              OPEN.invokeExact(
                  state,
                  arena.allocateFrom(path.toString()),
                  O_RDWR | O_SYNC | O_CLOEXEC | direct(),
                  0);
      if (descriptor < 0) {
        throw failed("cannot open " + path, state);
      }
      return new DirectFile(path, descriptor);
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  byte[] read(long position, int length) throws IOException {
    try (var arena = Arena.ofConfined()) {
      var state = arena.allocate(STATE);
      var buffer = arena.allocate(length, ALIGNMENT);
      long n;
      do {
        n = (long) PREAD.invokeExact(state, descriptor, buffer, (long) length, position);
      } while (n < 0 && (int) ERRNO_OF.get(state, 0L) == EINTR);
      if (n < 0) {
        throw failed("cannot read " + path, state);
      }
      if (n < length) {
        throw new IOException(
            path + " ends at byte " + (position + n) + ", where an sbd disk goes on");
      }
      return buffer.toArray(ValueLayout.JAVA_BYTE);
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  void write(long position, byte[] bytes) throws IOException {
    try (var arena = Arena.ofConfined()) {
      var state = arena.allocate(STATE);
      var buffer = arena.allocate(bytes.length, ALIGNMENT);
      MemorySegment.copy(bytes, 0, buffer, ValueLayout.JAVA_BYTE, 0, bytes.length);
      long n;
      do {
        n = (long) PWRITE.invokeExact(state, descriptor, buffer, (long) bytes.length, position);
      } while (n < 0 && (int) ERRNO_OF.get(state, 0L) == EINTR);
      if (n < 0) {
        throw failed("cannot write " + path, state);
      }
      if (n < bytes.length) {
        throw new IOException("wrote " + n + " of " + bytes.length + " bytes to " + path);
      }
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  @Override
  public void close() throws IOException {
    try (var arena = Arena.ofConfined()) {
      var state = arena.allocate(STATE);
      if ((int) CLOSE.invokeExact(state, descriptor) < 0) {
        throw failed("cannot close " + path, state);
      }
    } catch (Throwable e) {
      throw rethrown(e);
    }
  }

  /** Its number differs between processors. */
  private static int direct() throws IOException {
    var processor = System.getProperty("os.arch");
    return switch (processor) {
      case "amd64", "riscv64", "s390x" -> 0x4000;
      case "aarch64" -> 0x10000;
      case "ppc64le" -> 0x20000;
      default -> throw new IOException("direct I/O is not known for processors " + processor);
    };
  }

  private static MethodHandle transfer(String name) {
    return function(
        name, FunctionDescriptor.of(JAVA_LONG, JAVA_INT, ADDRESS, JAVA_LONG, JAVA_LONG));
  }

  private static MethodHandle function(
      String name, FunctionDescriptor type, Linker.Option... more) {
    var options = new Linker.Option[more.length + 1];
    options[0] = ERRNO;
    System.arraycopy(more, 0, options, 1, more.length);
    return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), type, options);
  }

  private static IOException failed(String what, MemorySegment state) throws Throwable {
    int errno = (int) ERRNO_OF.get(state, 0L);
    var text = (MemorySegment) STRERROR.invokeExact(errno);
    return new IOException(what + ": " + text.reinterpret(256).getString(0));
  }

  private static IOException rethrown(Throwable e) {
    return switch (e) {
      case IOException world -> world;
      case RuntimeException ours -> throw ours;
      case Error ours -> throw ours;
      default -> throw new IllegalStateException(e);
    };
  }
}
