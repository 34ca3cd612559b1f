package dev.haven.agent.guest;

import dev.haven.model.DomainReport;
import dev.haven.model.Epoch;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;

/**
 * libvirt on this host, as the rest of the agent needs it; a fake of it serves unit tests.
 *
 * <p>Every call blocks for at most the given time (positive). None throws for what the world does:
 * a libvirt that is away, refuses or does not answer is a value. A timeout is <em>unknown</em>,
 * never a failure: what was asked may still happen, until {@link #confirmGone} or {@link #domains}
 * says otherwise. Calls may come from any thread, virtual ones included, and side by side.
 *
 * <p>A guest is a domain of the guest's name that carries an epoch in its metadata. Orders check
 * that epoch first and touch nothing when it differs. Nothing here looks at leases, terms or
 * placement.
 */
public interface Hypervisor extends AutoCloseable {

  /**
   * Whether libvirt can be reached now. Guests run on untouched while it is away; reconnecting goes
   * on by itself.
   */
  Link link();

  /** Memory, processors, versions and what this libvirt driver can do. */
  Answer<HostReport> host(Duration within);

  /**
   * What could make a guest run here that nobody ordered, and could not be taken away: an autostart
   * flag, or a saved image that libvirt would start it from. Looked for again after each
   * connecting.
   *
   * @return one sentence each, none if there is nothing; empty until it was first looked for
   */
  Optional<List<String>> hazards();

  /**
   * All domains of this host, kept by Haven or not, running or only defined, in libvirt's order.
   */
  Answer<List<Domain>> domains(Duration within);

  /**
   * One domain, or {@link Answer.Known} with an empty list when libvirt knows none of that name.
   */
  Answer<List<Domain>> domain(String name, Duration within);

  /**
   * The definition of a domain as another host would need it to run it (libvirt's migratable XML).
   */
  Answer<String> definition(String name, Duration within);

  /**
   * Why a domain with this definition cannot run on this host: bridges, networks or CPU features
   * that are missing, one sentence each; an empty list when nothing is in the way. Memory and
   * storage are not looked at.
   */
  Answer<List<String>> obstacles(String domainXml, Duration within);

  /**
   * Is this guest gone from here for good, as far as libvirt can say: shut off or not defined at
   * all, and no job left that could make it run. This is the reading behind the proof "the agent's
   * word".
   */
  Gone confirmGone(String name, Duration within);

  /**
   * Whether a process may run this guest although libvirt does not say so: a libvirtd that has lost
   * its notes, or another one beside it, knows nothing of a QEMU. Asks the kernel alone, which may
   * keep it waiting for a process that hangs.
   *
   * @return how one can tell; empty if none runs it
   */
  Optional<String> stray(String name);

  /**
   * Defines the guest (persistent, without autostart) with its epoch, creates it paused, and lets
   * it run. Safe to repeat.
   *
   * @param permit asked right before each of the two; what it forbids is not done, and the answer
   *     is {@link Outcome.Unavailable}. The guest may be here then, paused
   * @return {@link Outcome.Done} once libvirt says that it runs; {@link Outcome.Already} when it
   *     was here with this epoch and was not only created; {@link Outcome.Conflict} when a domain
   *     of this name runs with another epoch or none, is defined with a newer one, or is defined
   *     and not ours
   */
  Outcome start(GuestStart order, Permit permit, Duration within);

  /** The right to let a guest run, asked on the thread that does it. Must not wait. */
  interface Permit {
    /**
     * Right before the guest is created, paused; notes that it is.
     *
     * @return why it must not be; empty if it may
     */
    Optional<String> toCreate();

    /**
     * Right before it is let run.
     *
     * @return why it must not be; empty if it may
     */
    Optional<String> toRun();
  }

  /**
   * Guests that a call may let run which was sent and has not returned, each with its epoch: they
   * may run at any moment, whatever libvirt says. Where the connection broke on the way that lasts
   * until libvirtd has given up such a call for certain.
   */
  Map<String, Long> letRun();

  /**
   * Asks the guest to shut down (ACPI); {@link Outcome.Done} means asked, the guest may take its
   * time or ignore it.
   */
  Outcome shutdown(String name, long epoch, Duration within);

  /**
   * Stops the guest at once, like pulling its power cord. {@link Outcome.Already} when it is shut
   * off.
   */
  Outcome destroy(String name, long epoch, Duration within);

  /**
   * Ends a guest that is arriving or starting up. {@link Outcome.Failed}, and nothing is touched,
   * if it is that no more once the calls before this one have ended: it may have been let run.
   */
  Outcome endArrival(String name, long epoch, Duration within);

  /**
   * Removes the definition of a guest that is shut off, with its NVRAM kept. {@link
   * Outcome.Already} when there is none.
   */
  Outcome undefine(String name, long epoch, Duration within);

  /**
   * Pauses the guest; {@link Outcome.Done} after libvirt's call has returned and the state read
   * afterwards says paused.
   */
  Outcome suspend(String name, long epoch, Duration within);

  /**
   * Lets a paused guest go on; {@link Outcome.Already} when it runs.
   *
   * @param arrived it has come here by a migration; while libvirt has not ended that, this fails.
   *     Otherwise it never left: what its owner paused is {@link Outcome.Already} as it should be,
   *     and what a broken migration paused goes on
   * @param permit asked right before; what it forbids is {@link Outcome.Unavailable}
   */
  Outcome resume(String name, long epoch, boolean arrived, Permit permit, Duration within);

  /**
   * Stops keeping this guest: takes its epoch out of the definition and gives back the autostart
   * flag found at its start.
   */
  Outcome release(String name, long epoch, Duration within);

  /**
   * Migrates a running guest away, live, and blocks until libvirt is done with it or {@code
   * order.within()} has passed.
   *
   * @param watcher called on the calling thread while it waits
   */
  MigrationResult migrate(MigrateOut order, MigrationWatcher watcher);

  /** Asks a running migration to stop; what became of it is the result of {@link #migrate}. */
  Outcome cancelMigration(String name, long epoch, Duration within);

  /**
   * Asks the guest's own agent for a sign of life. Not on the connections of orders and questions:
   * an agent that hangs keeps only other guests' pings waiting, and few of them.
   *
   * @param epoch of the turn that is meant
   */
  Ping ping(String name, long epoch, Duration within);

  /** Ends all connections, each after the call that is under way on it; guests are not touched. */
  @Override
  void close();

  /** Whether libvirt answers. */
  sealed interface Link {
    /** Connected since then. */
    record Up(Instant since) implements Link {}

    /** Not connected since then; {@code reason} is for people. */
    record Away(Instant since, String reason) implements Link {}
  }

  /** The answer to a question. */
  sealed interface Answer<T> {
    /** libvirt's own answer. */
    record Known<T>(T value) implements Answer<T> {}

    /**
     * No answer: libvirt is away, did not answer in time or refused. Says nothing about any guest.
     */
    record Unknown<T>(String reason) implements Answer<T> {}
  }

  /** What became of an order. */
  sealed interface Outcome {
    /** libvirt did it. */
    record Done() implements Outcome {}

    /** It was so before; nothing was done. */
    record Already() implements Outcome {}

    /** libvirt knows no domain of this name; nothing was done. */
    record Absent() implements Outcome {}

    /**
     * Refused by us, nothing was done: the domain here has another epoch (or none, then it is not
     * ours).
     */
    record Conflict(OptionalLong epochHere, String reason) implements Outcome {}

    /** libvirt refused, with its error number ({@code virErrorNumber}) and its words. */
    record Failed(int code, String message) implements Outcome {}

    /** libvirt is away or busy and nothing was sent; safe to repeat. */
    record Unavailable(String reason) implements Outcome {}

    /** It was sent and no answer came in time: it may have happened, or may yet. */
    record Unknown(String reason) implements Outcome {}
  }

  /** The answer of {@link #confirmGone}. */
  sealed interface Gone {
    /** Not here: {@code evidence} says what libvirt answered, for the proof's record. */
    record Confirmed(String evidence) implements Gone {}

    /** Still here, or a job is at work that could bring it up. */
    record StillThere(LibvirtState state, OptionalLong epoch, String reason) implements Gone {}

    /** No answer; never a proof. */
    record Unknown(String reason) implements Gone {}
  }

  /** The answer of {@link #ping}; {@code id} is libvirt's number of the turn that was asked. */
  sealed interface Ping {
    record Answered(int id) implements Ping {}

    /**
     * The guest ran, undisturbed by libvirt, before and after, it keeps its agent's port open, and
     * no answer came.
     */
    record Missed(int id) implements Ping {}

    /** Nothing is said about the guest: it does not run, has no agent, or libvirt is away. */
    record NotAsked(String why) implements Ping {}
  }

  /**
   * @param epoch at least 1
   * @param domainXml libvirt domain XML with this name; its metadata of other owners is kept
   * @param created an earlier try has created it and may not have let it run: if it is here and
   *     paused it is let run now
   */
  record GuestStart(String name, long epoch, String domainXml, boolean created) {}

  /**
   * Hears of links and domains, on one thread, in order. Slow listeners lose events and get {@link
   * DomainEvent.Missed}.
   */
  interface Listener {
    void heard(DomainEvent event);

    void link(Link link);
  }

  /**
   * One domain, as libvirt sees it.
   *
   * @param id libvirt's number of this turn of it, another after each start; -1 while it is off
   * @param epoch of our metadata; empty when Haven does not keep this domain
   * @param job libvirt works on this domain right now (a migration, say)
   * @param memoryMib the most it may use
   * @param diskErrors only looked for while it is paused by an I/O error
   */
  record Domain(
      String name,
      UUID uuid,
      int id,
      LibvirtState state,
      OptionalLong epoch,
      boolean job,
      boolean persistent,
      boolean autostart,
      long memoryMib,
      int vcpus,
      List<DiskError> diskErrors) {

    /** The same, in the words that all parts of Haven share. */
    public DomainReport report() {
      var full = diskErrors.stream().anyMatch(DiskError::full);
      return new DomainReport(
          name, state.shared(full), new Epoch(epoch.orElse(0)), job, state.toString());
    }
  }

  /**
   * @param disk the target as the guest's definition names it, such as vda
   * @param full the storage is full (no space left), as opposed to failing
   */
  record DiskError(String disk, boolean full) {}

  /**
   * This host.
   *
   * @param memoryFreeMib what new guests could take without swapping
   * @param cpuModel as libvirt names it, empty if it does not
   * @param cpuXml the host's CPU element, to compare hosts with
   * @param autostarted names of the domains that libvirt would start by itself at boot
   */
  record HostReport(
      UUID uuid,
      long memoryTotalMib,
      long memoryFreeMib,
      int cpus,
      String architecture,
      String cpuModel,
      String cpuXml,
      String libvirtVersion,
      String hypervisor,
      String hypervisorVersion,
      List<String> autostarted,
      Features features,
      List<String> machines) {}

  /** What this libvirt driver can do in a migration; from a table by the URI's scheme. */
  record Features(
      boolean pausedArrival,
      boolean destinationXml,
      boolean persistentXml,
      boolean bandwidth,
      boolean maxDowntime,
      boolean jobStats,
      boolean postCopy) {}

  /**
   * One live migration, seen from the source.
   *
   * @param epoch the guest's epoch here, checked first
   * @param targetEpoch what its metadata says on the target
   * @param destinationUri libvirt URI of the target as this host's libvirtd reaches it, such as
   *     qemu+tls://b/system
   * @param migrationUri where the memory goes, such as tcp://10.77.2.2; empty: libvirt's choice
   * @param bandwidthMibS 0: unlimited
   * @param arrivePaused the guest stays paused on the target until {@link #resume} there
   * @param unsafe the storage's consistency is vouched for by the caller; libvirt does not check it
   * @param downtimeLadder the longest pause allowed: the first at once, the next when a pass over
   *     the memory begins with no less than an earlier one; not empty
   * @param noProgress abort when the copying has made no headway for so long
   * @param within for all of it; then {@link MigrationResult.Unknown}
   */
  record MigrateOut(
      String name,
      long epoch,
      long targetEpoch,
      String destinationUri,
      String migrationUri,
      int bandwidthMibS,
      boolean arrivePaused,
      boolean unsafe,
      List<Duration> downtimeLadder,
      Duration noProgress,
      Duration within) {}

  /**
   * @param memoryRemaining bytes still to be copied, as known now
   * @param rate bytes a second; 0 when unknown
   * @param dirtyRate bytes a second that the guest changes; 0 when unknown
   * @param expectedDowntime if it switched over now; zero when unknown
   */
  record MigrationProgress(
      Duration elapsed,
      long memoryTotal,
      long memoryProcessed,
      long memoryRemaining,
      long rate,
      long dirtyRate,
      Duration expectedDowntime,
      Duration allowedDowntime) {}

  /** Hears how a migration goes; its methods must return quickly. */
  interface MigrationWatcher {
    /** About every 200 ms while memory is copied. */
    void progress(MigrationProgress progress);

    /**
     * At most once, as soon as this host can run the guest no more: its process has ended after the
     * switchover, or libvirt has returned. It comes about 0.2 s before libvirt's return, which
     * looks that late whether the process it ended is gone.
     *
     * <p>Whether the copy is complete, the target says: until then it is paused for migration there
     * and {@link Hypervisor#resume} refuses it.
     */
    void gone(String evidence);
  }

  /**
   * How a migration ended, as the source's libvirt says. Where the guest is, both sides are asked
   * afterwards.
   */
  sealed interface MigrationResult {
    /**
     * libvirt says that the guest left.
     *
     * @param total from the order to libvirt's return
     * @param downtime the pause as libvirt reports it, without a wait for {@link #resume}; zero if
     *     it did not say
     * @param transferred bytes
     */
    record Left(Duration total, Duration downtime, long transferred) implements MigrationResult {}

    /**
     * libvirt says that it failed or was cancelled.
     *
     * @param code {@code virErrorNumber}; 78 when it was cancelled
     * @param here what libvirt says about the domain on this host afterwards; empty when it did not
     *     answer
     */
    record Failed(int code, String message, Optional<LibvirtState> here)
        implements MigrationResult {}

    /** Nothing was sent: another epoch, not running, or libvirt away. */
    record Refused(String reason) implements MigrationResult {}

    /** No word in time, or the connection broke on the way: the guest may be on either side. */
    record Unknown(String reason) implements MigrationResult {}
  }
}
