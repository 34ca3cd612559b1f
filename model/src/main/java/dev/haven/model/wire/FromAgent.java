package dev.haven.model.wire;

import dev.haven.model.AddedLater;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.DiskUse;
import dev.haven.model.DomainReport;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.PlainText;
import dev.haven.model.ProcessId;
import java.util.List;
import java.util.Optional;

/** Frames from an agent to the leader. */
public sealed interface FromAgent {
  /**
   * Of all that agent and voter say to each other: these frames, those of {@link ToAgent},
   * heartbeats and their answers; see {@link WireVersions}.
   */
  int VERSION = 5;

  /**
   * The first frame on a new connection.
   *
   * @param version of this frame, {@link #VERSION}
   * @param heartbeatKey 32 random bytes, Base64, drawn by this process: its heartbeats are signed
   *     with them
   * @param systemUuid the machine's own, as its firmware tells it (SMBIOS), read by the agent
   *     itself
   * @param agentVersion of its program, such as {@code 0.1.0}, for people
   * @param highestTerm the highest Raft term whose orders this host obeyed
   * @param watchdog what guards this host; empty if it has no watchdog
   * @param domains everything libvirt has; empty with {@code libvirtUp} false when libvirt cannot
   *     be asked
   * @param goingDown that this host is being shut down; empty if it is not
   * @param hazards what may start guests here that nobody ordered, or feed the watchdog, one
   *     sentence each
   * @param warnings what would go wrong on this host in a failure, one sentence each
   */
  record Hello(
      int version,
      HostId host,
      BootId boot,
      ProcessId process,
      String heartbeatKey,
      Optional<String> systemUuid,
      Capacity capacity,
      String agentVersion,
      long highestTerm,
      Optional<Watchdog> watchdog,
      boolean libvirtUp,
      List<DomainReport> domains,
      Optional<GoingDown> goingDown,
      @AddedLater List<String> hazards,
      @AddedLater List<String> warnings)
      implements FromAgent {
    private static final int HAZARDS_MAX = 20;
    private static final int HAZARD_MAX = 500;
    private static final int VERSION_MAX = 100;

    /** Long texts are shortened, wherever they come from: an agent is heard all the same. */
    public Hello {
      domains = List.copyOf(domains);
      systemUuid = systemUuid.map(uuid -> PlainText.brief(uuid, VERSION_MAX));
      agentVersion = PlainText.brief(agentVersion, VERSION_MAX);
      hazards = brief(hazards);
      warnings = brief(warnings);
    }

    private static List<String> brief(List<String> sentences) {
      return sentences.stream()
          .limit(HAZARDS_MAX)
          .map(sentence -> PlainText.brief(sentence, HAZARD_MAX))
          .toList();
    }

    /** Of a host on which nothing would go wrong. */
    public Hello(
        int version,
        HostId host,
        BootId boot,
        ProcessId process,
        String heartbeatKey,
        Optional<String> systemUuid,
        Capacity capacity,
        String agentVersion,
        long highestTerm,
        Optional<Watchdog> watchdog,
        boolean libvirtUp,
        List<DomainReport> domains,
        Optional<GoingDown> goingDown,
        List<String> hazards) {
      this(
          version,
          host,
          boot,
          process,
          heartbeatKey,
          systemUuid,
          capacity,
          agentVersion,
          highestTerm,
          watchdog,
          libvirtUp,
          domains,
          goingDown,
          hazards,
          List.of());
    }

    /** Of a host where nothing starts guests but Haven. */
    public Hello(
        int version,
        HostId host,
        BootId boot,
        ProcessId process,
        String heartbeatKey,
        Optional<String> systemUuid,
        Capacity capacity,
        String agentVersion,
        long highestTerm,
        Optional<Watchdog> watchdog,
        boolean libvirtUp,
        List<DomainReport> domains,
        Optional<GoingDown> goingDown) {
      this(
          version,
          host,
          boot,
          process,
          heartbeatKey,
          systemUuid,
          capacity,
          agentVersion,
          highestTerm,
          watchdog,
          libvirtUp,
          domains,
          goingDown,
          List.of());
    }

    /** Of a host that stays up. */
    public Hello(
        int version,
        HostId host,
        BootId boot,
        ProcessId process,
        String heartbeatKey,
        Optional<String> systemUuid,
        Capacity capacity,
        String agentVersion,
        long highestTerm,
        Optional<Watchdog> watchdog,
        boolean libvirtUp,
        List<DomainReport> domains) {
      this(
          version,
          host,
          boot,
          process,
          heartbeatKey,
          systemUuid,
          capacity,
          agentVersion,
          highestTerm,
          watchdog,
          libvirtUp,
          domains,
          Optional.empty());
    }

    /** The same, with the key as it stands in the log. */
    public Hello withHeartbeatKey(String sealed) {
      return new Hello(
          version,
          host,
          boot,
          process,
          sealed,
          systemUuid,
          capacity,
          agentVersion,
          highestTerm,
          watchdog,
          libvirtUp,
          domains,
          goingDown,
          hazards,
          warnings);
    }

    /** Without the key: it is nobody's business in a log. */
    @Override
    public String toString() {
      return "Hello[host=%s, boot=%s, process=%s, agentVersion=%s, highestTerm=%d, watchdog=%s, libvirtUp=%s, domains=%s, goingDown=%s, hazards=%s]"
          .formatted(
              host,
              boot,
              process,
              agentVersion,
              highestTerm,
              watchdog,
              libvirtUp,
              domains,
              goingDown,
              hazards);
    }
  }

  /**
   * All domains, after each change, also of {@code goingDown}, and every few seconds.
   *
   * @param libvirtUp false when libvirt cannot be asked; then {@code domains} is empty and means
   *     nothing
   * @param goingDown that this host is being shut down; empty if it is not, or not any more
   */
  record Domains(
      int version, boolean libvirtUp, List<DomainReport> domains, Optional<GoingDown> goingDown)
      implements FromAgent {
    /**
     * @throws NullPointerException if a domain is null
     */
    public Domains {
      domains = List.copyOf(domains);
    }

    /** Of a host that stays up. */
    public Domains(int version, boolean libvirtUp, List<DomainReport> domains) {
      this(version, libvirtUp, domains, Optional.empty());
    }
  }

  /** The watchdog, or whether this agent enforces leases, has changed since the hello. */
  record Guarded(int version, Watchdog watchdog) implements FromAgent {}

  /**
   * What a guest's disks are on this host.
   *
   * @param question that it answers
   * @param disks those that could be looked at within 4 s
   */
  record DisksSeen(int version, long question, List<DiskSeen> disks) implements FromAgent {
    public DisksSeen {
      disks = List.copyOf(disks);
    }
  }

  /**
   * A disk that was looked at.
   *
   * @param disk as the question named it
   * @param behind what it is, and what stands behind it
   */
  record DiskSeen(String disk, List<DiskUse> behind) {
    public DiskSeen {
      behind = List.copyOf(behind);
    }
  }

  /**
   * How an order ended.
   *
   * @param order the number of its {@link ToAgent.OrderFrame}
   */
  record AnswerFrame(int version, long order, Answer answer) implements FromAgent {}

  /**
   * How far a migration has come, a few times a second.
   *
   * @param order the number of the frame that ordered it
   * @param total bytes, as libvirt counts them
   * @param remaining bytes that are still to be sent
   * @param rate bytes per second
   */
  record Progress(int version, long order, GuestId guest, long total, long remaining, long rate)
      implements FromAgent {}
}
