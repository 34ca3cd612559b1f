package dev.haven.lab;

import java.io.IOException;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Which lab directory owns which number, on this machine, until it is switched off. One file a
 * number with the directory in it. A claim whose directory is gone is stale: what that lab left is
 * swept away and the number is free.
 */
final class Claims {
  private static final Path HOME = Path.of("/run/haven-lab");

  /** Marks a directory as a lab; see {@link Lab}. */
  static final String LAB_FILE = "lab.properties";

  private Claims() {}

  /**
   * @param wanted the number that this lab had before, if any
   * @param sweep removes whatever a lab of this number left
   * @param claimed writes the lab's own file, before anybody else may look at the claim
   */
  static int claim(Path lab, Optional<Integer> wanted, IntConsumer sweep, IntConsumer claimed) {
    return locked(
        () -> {
          int number = choose(lab, wanted, sweep);
          claimed.accept(number);
          return number;
        });
  }

  private static int choose(Path lab, Optional<Integer> wanted, IntConsumer sweep) {
    for (int number = 0; number <= LabPlan.MAX_NUMBER; number++) {
      if (isFor(number, lab)) {
        return number;
      }
    }
    if (wanted.isPresent() && owner(wanted.get()).isEmpty() && !addressesTaken(wanted.get())) {
      write(wanted.get(), lab);
      return wanted.get();
    }
    for (int number = 0; number <= LabPlan.MAX_NUMBER; number++) {
      if (stale(number)) {
        sweep.accept(number);
        write(number, lab);
        return number;
      }
      if (owner(number).isEmpty() && !addressesTaken(number)) {
        write(number, lab);
        return number;
      }
    }
    throw new LabException(
        "no subnet of 10.77.0.0/16 is free for a lab; haven lab down takes one down");
  }

  static void release(int number, Path lab) {
    locked(
        () -> {
          if (isFor(number, lab)) {
            try {
              Files.deleteIfExists(file(number));
            } catch (IOException e) {
              throw new LabException("cannot remove " + file(number) + ": " + e.getMessage(), e);
            }
          }
          return number;
        });
  }

  /** The directories of all labs of this machine. */
  static List<Path> labs() {
    return IntStream.rangeClosed(0, LabPlan.MAX_NUMBER)
        .mapToObj(Claims::owner)
        .flatMap(Optional::stream)
        .toList();
  }

  static boolean isFor(int number, Path lab) {
    return owner(number).equals(Optional.of(lab));
  }

  private static boolean stale(int number) {
    var owner = owner(number);
    return owner.isPresent() && !Files.exists(owner.get().resolve(LAB_FILE));
  }

  private static Path file(int number) {
    return HOME.resolve(Integer.toString(number));
  }

  private static Optional<Path> owner(int number) {
    try {
      return Optional.of(Path.of(Files.readString(file(number)).strip()));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw new LabException("cannot read " + file(number) + ": " + e.getMessage(), e);
    }
  }

  private static void write(int number, Path lab) {
    try {
      Files.writeString(file(number), lab + "\n");
    } catch (IOException e) {
      throw new LabException("cannot write " + file(number) + ": " + e.getMessage(), e);
    }
  }

  private static boolean addressesTaken(int number) {
    try {
      return NetworkInterface.networkInterfaces()
          .flatMap(NetworkInterface::inetAddresses)
          .anyMatch(
              address ->
                  LabPlan.NETWORKS.stream()
                      .anyMatch(
                          network ->
                              address
                                  .getHostAddress()
                                  .startsWith(LabPlan.subnet(number, network) + ".")));
    } catch (SocketException e) {
      throw new LabException("cannot list this machine's addresses: " + e.getMessage(), e);
    }
  }

  private static synchronized int locked(Supplier<Integer> action) {
    try {
      Files.createDirectories(HOME);
      try (var channel =
              FileChannel.open(
                  HOME.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
          var lock = channel.lock()) {
        if (!lock.isValid()) {
          throw new IllegalStateException("lock is not valid: " + lock);
        }
        return action.get();
      }
    } catch (IOException e) {
      throw new LabException("cannot lock " + HOME + "/lock: " + e.getMessage(), e);
    }
  }
}
