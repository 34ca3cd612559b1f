package dev.haven.agent.libvirt;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.PointerByReference;
import dev.haven.agent.guest.LibvirtState;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.libvirt.jna.CString;
import org.libvirt.jna.ConnectionPointer;
import org.libvirt.jna.DomainByReference;
import org.libvirt.jna.DomainPointer;
import org.libvirt.jna.virDomainInfo;

/**
 * One connection to libvirt and the one platform thread that uses it; libvirt's errors are kept for
 * each thread, so a call and the reading of its error must share one.
 *
 * <pre>
 *   opening ──► idle ◄──► at work ──► abandoned   a call was late: the thread closes the connection
 *      └──────────┴────► closed                   as soon as libvirt lets go of it
 * </pre>
 */
final class Session {
  /**
   * Threads of all sessions that libvirt holds: calls given up, and connections that do not open.
   */
  static final AtomicInteger HELD = new AtomicInteger();

  // with these, libvirt's client gives a silent libvirtd up after 5 s × (4 + 1)
  private static final int KEEPALIVE_INTERVAL_SECONDS = 5;
  private static final int KEEPALIVE_COUNT = 4;

  private enum Phase {
    OPEN,
    ABANDONED,
    CLOSED
  }

  private final Native libvirt = EventLoop.libvirt();
  private final AtomicReference<Phase> phase = new AtomicReference<>(Phase.OPEN);
  // one call at a time, so one place for the call and one for the wish to close
  private final BlockingQueue<Runnable> calls = new ArrayBlockingQueue<>(2);
  private final ConnectionPointer connection;
  private final Predicate<String> ordered;

  // What libvirt writes into, used again by each call: each of them has native memory and a cleaner
  // of its own, and as garbage
  // they fill the old generation, so that a small heap grows to its limit
  private final IntByReference number = new IntByReference();
  private final IntByReference number2 = new IntByReference();
  private final virDomainInfo info = new virDomainInfo();
  private final Memory controlInfo = new Memory(16);

  /** Something to do with a connection, on its thread. */
  interface Work<T> {
    T run(Session session) throws LibvirtError;
  }

  /** What became of {@link Work}. */
  sealed interface Result<T> {
    record Done<T>(T value) implements Result<T> {}

    /** libvirt refused, over a connection that still works: the answer is libvirt's own. */
    record Refused<T>(LibvirtError error) implements Result<T> {}

    /** Late, or the connection broke on the way. */
    record Lost<T>(String reason) implements Result<T> {}

    /** Never handed to libvirt. */
    record Unsent<T>(String reason) implements Result<T> {}
  }

  private Session(ConnectionPointer connection, Predicate<String> ordered) {
    this.connection = connection;
    this.ordered = ordered;
  }

  /**
   * Connects on a thread of the new session. May take for ever, where libvirtd accepts and does not
   * answer; who no longer wants it cancels the future, then the session closes itself.
   *
   * @param ordered whether this host was ordered to run a guest of that name
   * @param setUp done on the session's thread before anything else; gives what must be done there
   *     at last
   */
  static CompletableFuture<Session> open(
      String uri, Predicate<String> ordered, Work<Runnable> setUp) {
    var opened = new CompletableFuture<Session>();
    HELD.incrementAndGet();
    Thread.ofPlatform()
        .daemon()
        .name("libvirt-session")
        .start(() -> live(uri, ordered, setUp, opened));
    return opened;
  }

  static LibvirtError asError(ExecutionException e) {
    if (e.getCause() instanceof LibvirtError error) {
      return error;
    }
    throw new IllegalStateException("a libvirt session broke in an unforeseen way", e.getCause());
  }

  private static void live(
      String uri,
      Predicate<String> ordered,
      Work<Runnable> setUp,
      CompletableFuture<Session> opened) {
    var libvirt = EventLoop.libvirt();
    @Nullable ConnectionPointer connection = null;
    Session session;
    Runnable tearDown;
    try {
      connection = libvirt.virConnectOpen(uri);
      if (connection == null) {
        throw lastError(libvirt);
      }
      session = new Session(connection, ordered);
      // not every driver has keepalives: the calls of those without one do not cross a socket
      libvirt.virConnectSetKeepAlive(connection, KEEPALIVE_INTERVAL_SECONDS, KEEPALIVE_COUNT);
      tearDown = setUp.run(session);
    } catch (LibvirtError | RuntimeException e) {
      if (connection != null) {
        libvirt.virConnectClose(connection);
      }
      opened.completeExceptionally(e);
      return;
    } finally {
      HELD.decrementAndGet();
    }
    if (opened.complete(session)) {
      session.serve();
    }
    tearDown.run();
    libvirt.virConnectClose(connection);
  }

  private void serve() {
    while (phase.get() == Phase.OPEN) {
      try {
        calls.take().run();
      } catch (InterruptedException e) {
        // only our own queue is waited on here; close() and abandon() speak through it
        continue;
      }
    }
    if (phase.get() == Phase.ABANDONED) {
      HELD.decrementAndGet();
    }
  }

  /** Whether the connection still stands, as far as this side knows; asks nobody. */
  boolean alive() {
    return phase.get() == Phase.OPEN && libvirt.virConnectIsAlive(connection) == 1;
  }

  /**
   * Runs the work and waits. After a late one this session is abandoned and must not be used again.
   */
  <T> Result<T> run(Work<T> work, Duration within) {
    return await(submit(work), within);
  }

  /** Begins the work; one at a time. */
  <T> CompletableFuture<T> submit(Work<T> work) {
    if (phase.get() != Phase.OPEN) {
      return CompletableFuture.failedFuture(new LibvirtError(0, "the connection is closed"));
    }
    var done = new CompletableFuture<T>();
    var accepted =
        calls.offer(
            () -> {
              try {
                done.complete(work.run(this));
              } catch (LibvirtError | RuntimeException e) {
                done.completeExceptionally(e);
              }
            });
    if (!accepted) {
      throw new IllegalStateException("a libvirt session was given two calls at once");
    }
    return done;
  }

  /** Waits for what was begun, as {@link #run} does. */
  <T> Result<T> await(CompletableFuture<T> begun, Duration within) {
    var deadline = System.nanoTime() + within.toNanos();
    try {
      return new Result.Done<>(begun.get(within.toNanos(), TimeUnit.NANOSECONDS));
    } catch (ExecutionException e) {
      var error = asError(e);
      return stillAnswers(Math.max(deadline - System.nanoTime(), 0))
          ? new Result.Refused<>(error)
          : lost("connection to libvirtd lost: " + error.message());
    } catch (TimeoutException e) {
      return lost("no answer from libvirtd within " + within.toMillis() + " ms");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return lost("interrupted while waiting for libvirtd");
    }
  }

  private <T> Result<T> lost(String reason) {
    abandon();
    return new Result.Lost<>(reason);
  }

  /**
   * An error may be libvirtd's refusal or the sound of the connection breaking, and its code does
   * not tell which (a migration's target may have broken instead). Only another answer does.
   */
  private boolean stillAnswers(long nanos) {
    if (!alive()) {
      return false;
    }
    try {
      return submit(s -> s.ask()).get(nanos, TimeUnit.NANOSECONDS);
    } catch (ExecutionException | TimeoutException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  private boolean ask() {
    return libvirt.virConnectGetLibVersion(connection, new com.sun.jna.ptr.LongByReference()) == 0
        && alive();
  }

  /** Gives the session up; a thread that hangs in libvirt is counted until it returns. */
  void abandon() {
    if (phase.compareAndSet(Phase.OPEN, Phase.ABANDONED)) {
      HELD.incrementAndGet();
      wake();
    }
  }

  /** Closes the connection after what is under way. */
  void close() {
    if (phase.compareAndSet(Phase.OPEN, Phase.CLOSED)) {
      wake();
    }
  }

  private void wake() {
    // refused only when calls wait already, and then the thread wakes up for them
    var _ = calls.offer(() -> {});
  }

  // ---- on the session's thread ----

  Native api() {
    return libvirt;
  }

  ConnectionPointer connection() {
    return connection;
  }

  /**
   * Called right before anything that changes a guest: what nobody waits for any more must not
   * happen late, when libvirtd wakes up and the world has moved on.
   */
  void stillWanted() throws LibvirtError {
    if (phase.get() != Phase.OPEN) {
      throw new LibvirtError(0, "given up before it was sent");
    }
  }

  int check(int result) throws LibvirtError {
    if (result < 0) {
      throw lastError(libvirt);
    }
    return result;
  }

  String text(@Nullable CString result) throws LibvirtError {
    if (result == null) {
      throw lastError(libvirt);
    }
    return result.toString(); // copies and frees
  }

  /**
   * Work on one domain: looked up, handed over, freed. Throws ERROR_NO_DOMAIN when there is none.
   */
  <T> T with(String name, DomainWork<T> work) throws LibvirtError {
    @Nullable DomainPointer domain = libvirt.virDomainLookupByName(connection, name);
    if (domain == null) {
      throw lastError(libvirt);
    }
    try {
      return work.run(domain);
    } finally {
      libvirt.virDomainFree(domain);
    }
  }

  /** As {@link #with}, but empty when there is no such domain. */
  <T> Optional<T> find(String name, DomainWork<T> work) throws LibvirtError {
    try {
      return Optional.of(with(name, work));
    } catch (LibvirtError e) {
      if (e.code() == Native.ERROR_NO_DOMAIN) {
        return Optional.empty();
      }
      throw e;
    }
  }

  /**
   * Writes the mark by which Haven knows its guests.
   *
   * @param impact of libvirt: whether the running domain, its definition or both
   */
  void writeMark(DomainPointer domain, MarkedDomain.Mark mark, int impact) throws LibvirtError {
    stillWanted();
    check(
        libvirt.virDomainSetMetadata(
            domain,
            Native.METADATA_ELEMENT,
            MarkedDomain.element(mark.epoch(), mark.autostartFound(), name(domain), uuid(domain)),
            MarkedDomain.PREFIX,
            MarkedDomain.NAMESPACE,
            impact));
  }

  /** Something to do with a domain. */
  interface DomainWork<T> {
    T run(DomainPointer domain) throws LibvirtError;
  }

  /** All domains, freed afterwards. One that vanishes meanwhile is left out. */
  <T> List<T> each(int flags, DomainWork<T> work) throws LibvirtError {
    var array = new DomainByReference();
    var count = check(libvirt.virConnectListAllDomains(connection, array, flags));
    var base = array.getValue();
    var results = new ArrayList<T>(count);
    try {
      var pointers = base.getPointerArray(0, count);
      for (var i = 0; i < count; i++) {
        var domain = new DomainPointer(pointers[i]);
        try {
          results.add(work.run(domain));
        } catch (LibvirtError e) {
          if (e.code() != Native.ERROR_NO_DOMAIN) {
            for (var rest = i + 1; rest < count; rest++) {
              libvirt.virDomainFree(new DomainPointer(pointers[rest]));
            }
            throw e;
          }
        } finally {
          libvirt.virDomainFree(domain);
        }
      }
    } finally {
      com.sun.jna.Native.free(Pointer.nativeValue(base));
    }
    return results;
  }

  LibvirtState state(DomainPointer domain) throws LibvirtError {
    check(libvirt.virDomainGetState(domain, number, number2, 0));
    return States.state(number.getValue(), number2.getValue());
  }

  /**
   * What Haven wrote into a domain's definition; empty where it was copied there with another one's
   * definition, as virt-clone does.
   */
  Optional<MarkedDomain.Mark> mark(DomainPointer domain, int impact) throws LibvirtError {
    @Nullable CString element =
        libvirt.virDomainGetMetadata(
            domain, Native.METADATA_ELEMENT, MarkedDomain.NAMESPACE, impact);
    if (element == null) {
      var error = lastError(libvirt);
      if (error.code() == Native.ERROR_NO_DOMAIN_METADATA) {
        return Optional.empty();
      }
      throw error;
    }
    return MarkedDomain.mark(element.toString(), name(domain), uuid(domain), ordered);
  }

  /** Local: asks nobody. */
  String name(DomainPointer domain) {
    return libvirt.virDomainGetName(domain);
  }

  /** Local: asks nobody. */
  String uuid(DomainPointer domain) throws LibvirtError {
    var uuid = new byte[37];
    check(libvirt.virDomainGetUUIDString(domain, uuid));
    return new String(uuid, 0, 36, StandardCharsets.US_ASCII);
  }

  OptionalLong epoch(DomainPointer domain) throws LibvirtError {
    return mark(domain, Native.AFFECT_CURRENT)
        .map(mark -> OptionalLong.of(mark.epoch()))
        .orElse(OptionalLong.empty());
  }

  boolean autostart(DomainPointer domain) throws LibvirtError {
    check(libvirt.virDomainGetAutostart(domain, number));
    return number.getValue() != 0;
  }

  /** Valid until the next call of this. */
  virDomainInfo info(DomainPointer domain) throws LibvirtError {
    check(libvirt.virDomainGetInfo(domain, info));
    return info;
  }

  /** Whether libvirt is at work on a running domain; asks without waiting for that work. */
  boolean occupied(DomainPointer domain) throws LibvirtError {
    check(libvirt.virDomainGetControlInfo(domain, controlInfo, 0));
    var state = controlInfo.getInt(0);
    return state == Native.CONTROL_JOB || state == Native.CONTROL_OCCUPIED;
  }

  /** Figures of the job under way; empty when there is none. */
  Map<String, Long> jobStats(DomainPointer domain) throws LibvirtError {
    var type = new IntByReference();
    var params = new PointerByReference();
    var count = new IntByReference();
    check(libvirt.virDomainGetJobStats(domain, type, params, count, 0));
    @Nullable Pointer array = params.getValue();
    if (array == null) {
      return Map.of();
    }
    try {
      return type.getValue() == 0 ? Map.of() : TypedParams.numbers(array, count.getValue());
    } finally {
      libvirt.virTypedParamsFree(array, count.getValue());
    }
  }

  LibvirtError lastError() {
    return lastError(libvirt);
  }

  private static LibvirtError lastError(Native libvirt) {
    var error = libvirt.virGetLastError();
    if (error == null) {
      return new LibvirtError(0, "libvirt failed without an error");
    }
    var result = new LibvirtError(error.code, error.message == null ? "" : error.message);
    libvirt.virResetLastError();
    return result;
  }
}
