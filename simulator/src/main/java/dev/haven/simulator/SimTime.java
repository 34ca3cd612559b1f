package dev.haven.simulator;

import dev.haven.model.Time;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Simulated time for the shipped code that blocks: its virtual threads have an executor of ours as
 * their scheduler, and all of them run on the one real thread that lets the {@link Clock} run. Who
 * goes on is decided by the order of events alone, so the same seed gives the same course.
 *
 * <p>The JDK keeps the scheduler of a virtual thread to itself. {@code --add-opens
 * java.base/java.lang=ALL-UNNAMED} opens it; a process that was started without gets it through
 * {@code sun.misc.Unsafe}, about which the JDK complains. See docs/adr/0021.
 */
final class SimTime implements Time {
  private static final MethodHandle BUILDER = builder();

  private final Clock clock;
  private final ArrayDeque<Runnable> ready = new ArrayDeque<>();
  private final Executor scheduler = ready::add;

  /** Who waits for time: the JVM holds on to such a thread, and so to its whole world. */
  private final Set<Thread> waiting = new LinkedHashSet<>();

  private @Nullable Throwable failed;
  private boolean over;

  SimTime(Clock clock) {
    this.clock = clock;
    clock.afterEach(this::goOn);
  }

  private static MethodHandle builder() {
    try {
      var type = Class.forName("java.lang.ThreadBuilders$VirtualThreadBuilder");
      var constructor = MethodType.methodType(void.class, Executor.class);
      var opened = Object.class.getModule().isOpen("java.lang", SimTime.class.getModule());
      var lookup =
          opened
              ? MethodHandles.privateLookupIn(type, MethodHandles.lookup())
              : everythingIsOpenTo();
      return lookup
          .findConstructor(type, constructor)
          .asType(MethodType.methodType(Thread.Builder.OfVirtual.class, Executor.class));
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(
          "this JDK (%s) does not let the simulator schedule threads; use JDK 25"
              .formatted(Runtime.version()),
          e);
    }
  }

  private static MethodHandles.Lookup everythingIsOpenTo() throws ReflectiveOperationException {
    var unsafe = Class.forName("sun.misc.Unsafe");
    var the = unsafe.getDeclaredField("theUnsafe");
    the.setAccessible(true);
    var it = the.get(null);
    var field = MethodHandles.Lookup.class.getDeclaredField("IMPL_LOOKUP");
    var base = unsafe.getMethod("staticFieldBase", java.lang.reflect.Field.class).invoke(it, field);
    var offset =
        unsafe.getMethod("staticFieldOffset", java.lang.reflect.Field.class).invoke(it, field);
    return (MethodHandles.Lookup)
        unsafe.getMethod("getObject", Object.class, long.class).invoke(it, base, offset);
  }

  /** Lets run each thread that can. */
  private void goOn() {
    for (var next = ready.poll(); next != null; next = ready.poll()) {
      next.run();
    }
    var why = failed;
    if (why != null) {
      failed = null;
      throw new IllegalStateException("a simulated thread ended: " + why, why);
    }
  }

  /** Ends all that still waits: nobody will let time pass any more. */
  void end() {
    over = true;
    while (!waiting.isEmpty()) {
      List.copyOf(waiting).forEach(Thread::interrupt);
      goOn();
    }
  }

  @Override
  public long nanos() {
    return clock.nanos();
  }

  @Override
  public Instant instant() {
    return clock.instant();
  }

  @Override
  public void sleep(Duration time) throws InterruptedException {
    if (Thread.interrupted() || over) {
      throw new InterruptedException();
    }
    if (!time.isPositive()) {
      return;
    }
    var thread = Thread.currentThread();
    var passed = new boolean[1];
    clock.after(
        time,
        () -> {
          passed[0] = true;
          LockSupport.unpark(thread);
        });
    waiting.add(thread);
    try {
      while (!passed[0]) {
        LockSupport.park(this);
        if (Thread.interrupted()) {
          throw new InterruptedException();
        }
      }
    } finally {
      waiting.remove(thread);
    }
  }

  @Override
  public <T> Optional<T> poll(BlockingQueue<T> queue, Duration within) throws InterruptedException {
    if (Thread.interrupted() || over) {
      throw new InterruptedException();
    }
    var there = queue.poll();
    if (there != null || !within.isPositive()) {
      return Optional.ofNullable(there);
    }
    var limit = new Limit(Thread.currentThread());
    clock.after(within, limit);
    waiting.add(limit.thread);
    try {
      return Optional.of(queue.take());
    } catch (InterruptedException e) {
      if (limit.passed && !over) {
        return Optional.ofNullable(queue.poll());
      }
      throw e;
    } finally {
      waiting.remove(limit.thread);
      limit.close();
    }
  }

  /** Takes the head of a queue, however long it does not come. */
  <T> T take(BlockingQueue<T> queue) throws InterruptedException {
    if (Thread.interrupted() || over) {
      throw new InterruptedException();
    }
    waiting.add(Thread.currentThread());
    try {
      return queue.take();
    } finally {
      waiting.remove(Thread.currentThread());
    }
  }

  @Override
  public Thread.Builder.OfVirtual threads() {
    try {
      return ((Thread.Builder.OfVirtual) BUILDER.invokeExact(scheduler))
          .uncaughtExceptionHandler((_, e) -> failed = e);
    } catch (Throwable e) {
      throw new IllegalStateException("no thread can be made", e);
    }
  }

  /** The end of a wait: nothing else wakes a thread that waits for another. */
  private static final class Limit implements Runnable {
    private final Thread thread;
    private boolean passed;
    private boolean closed;

    Limit(Thread thread) {
      this.thread = thread;
    }

    @Override
    public void run() {
      if (!closed) {
        passed = true;
        thread.interrupt();
      }
    }

    /** The interrupt was ours, though what was waited for came at the same moment. */
    void close() {
      closed = true;
      if (passed) {
        Thread.interrupted();
      }
    }
  }
}
