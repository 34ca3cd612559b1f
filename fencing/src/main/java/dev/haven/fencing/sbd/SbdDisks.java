package dev.haven.fencing.sbd;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The one to three disks over which one host gets its messages, as its killer sees them. Every call
 * has an end, also on a disk that hangs.
 */
public final class SbdDisks {
  /** So many calls may hang at one disk, each with a thread of its own, before it is not asked. */
  private static final int HANGING = 4;

  private static final Map<Path, Semaphore> TURNS = new ConcurrentHashMap<>();

  private final List<Path> disks;
  private final String slot;

  /**
   * @param disks one to three; with two, both have to be written
   * @param slot the name under which the host has its slot
   */
  public SbdDisks(List<Path> disks, String slot) {
    if (disks.isEmpty() || disks.size() > 3) {
      throw new IllegalArgumentException("1 to 3 sbd disks, not " + disks.size());
    }
    this.disks = List.copyOf(disks);
    this.slot = slot;
  }

  /** What one disk told. */
  public sealed interface Told {
    /**
     * @param id of the disk, whatever its path
     * @param msgwait of its header
     * @param mail what is in the host's mailbox, in words
     * @param kills whether that is a message which ends the host
     */
    record Mailbox(String id, Duration watchdog, Duration msgwait, String mail, boolean kills)
        implements Told {}

    /**
     * @param reason for people: what is wrong with it
     */
    record Failed(String reason) implements Told {}
  }

  /** How many disks a message has to be on. */
  public int majority() {
    return disks.size() / 2 + 1;
  }

  /**
   * Looks into the host's mailbox on every disk, side by side.
   *
   * @param within for all disks together; one that has not answered by then is {@code Failed}
   */
  public Map<Path, Told> look(Duration within) throws InterruptedException {
    return onEach(within, (disk, number) -> {});
  }

  /**
   * Writes to the host's mailbox on every disk, side by side, and looks.
   *
   * @param from who wrote it, as sbd shows it
   * @param within as in {@link #look}; on a disk that is {@code Failed} it may stand or not
   */
  public Map<Path, Told> write(SbdMessage message, String from, Duration within)
      throws InterruptedException {
    return onEach(within, (disk, number) -> disk.write(number, message, from));
  }

  private interface Act {
    void on(SbdDisk disk, int slot) throws IOException;
  }

  private Map<Path, Told> onEach(Duration within, Act act) throws InterruptedException {
    var until = System.nanoTime() + within.toNanos();
    var answers = new LinkedHashMap<Path, CompletableFuture<Told>>();
    for (var path : disks) {
      answers.put(path, start(path, act));
    }
    var told = new LinkedHashMap<Path, Told>();
    for (var entry : answers.entrySet()) {
      told.put(entry.getKey(), await(entry.getValue(), until));
    }
    return told;
  }

  /** On a platform thread: a hanging disk would hold the carrier of a virtual one. */
  private CompletableFuture<Told> start(Path path, Act act) {
    var turns = TURNS.computeIfAbsent(path, _ -> new Semaphore(HANGING));
    if (!turns.tryAcquire()) {
      return CompletableFuture.completedFuture(
          new Told.Failed(HANGING + " earlier calls have not returned from it yet"));
    }
    var answer = new CompletableFuture<Told>();
    Thread.ofPlatform()
        .daemon()
        .name("sbd-" + path.getFileName())
        .start(
            () -> {
              try {
                answer.complete(visit(path, act));
              } catch (IOException e) {
                answer.complete(new Told.Failed(String.valueOf(e.getMessage())));
              } catch (RuntimeException e) {
                answer.completeExceptionally(e);
              } finally {
                turns.release();
              }
            });
    return answer;
  }

  private Told visit(Path path, Act act) throws IOException {
    try (var disk = SbdDisk.open(path)) {
      var number = disk.find(slot);
      if (number.isEmpty()) {
        return new Told.Failed(
            "%s has no slot %s; make one with: sbd -d %s allocate %s"
                .formatted(path, slot, path, slot));
      }
      act.on(disk, number.get());
      var mail = disk.read(number.get());
      return new Told.Mailbox(
          disk.header().id(),
          disk.header().watchdog(),
          disk.header().msgwait(),
          mail.toString(),
          mail.message().filter(SbdMessage::kills).isPresent());
    }
  }

  private static Told await(CompletableFuture<Told> answer, long until)
      throws InterruptedException {
    try {
      return answer.get(Math.max(0, until - System.nanoTime()), TimeUnit.NANOSECONDS);
    } catch (TimeoutException e) {
      return new Told.Failed("it did not answer in time");
    } catch (ExecutionException e) {
      throw new IllegalStateException(e.getCause());
    }
  }

  /** The reasons of the disks that failed, for people. */
  public static String failures(Map<Path, Told> told) {
    var reasons = new ArrayList<String>();
    told.forEach(
        (path, answer) -> {
          if (answer instanceof Told.Failed(var reason)) {
            reasons.add(reason.contains(path.toString()) ? reason : path + ": " + reason);
          }
        });
    return String.join("; ", reasons);
  }
}
