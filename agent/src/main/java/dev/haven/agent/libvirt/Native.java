package dev.haven.agent.libvirt;

import com.sun.jna.Callback;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import org.jspecify.annotations.Nullable;
import org.libvirt.jna.CString;
import org.libvirt.jna.ConnectionPointer;
import org.libvirt.jna.DomainPointer;
import org.libvirt.jna.Libvirt;

/**
 * libvirt's C functions: those that libvirt-java maps, and below those that it lacks. Its classes
 * above the mapping (Connect, Domain) are not used: they close under other threads, free in
 * finalizers and take a -1 without an error for success.
 */
interface Native extends Libvirt {

  int virDomainGetState(
      DomainPointer domain, IntByReference state, IntByReference reason, int flags);

  /** Fills three ints' worth: state, details, and stateTime (a long at offset 8). */
  int virDomainGetControlInfo(DomainPointer domain, Pointer info, int flags);

  /**
   * Fills records of 16 bytes: the disk's name (char *, to be freed) and its error (1 unspecified,
   * 2 no space).
   */
  int virDomainGetDiskErrors(DomainPointer domain, @Nullable Pointer errors, int max, int flags);

  int virConnectCompareHypervisorCPU(
      ConnectionPointer connection,
      @Nullable String emulator,
      @Nullable String architecture,
      @Nullable String machine,
      @Nullable String type,
      String cpuXml,
      int flags);

  CString virConnectGetDomainCapabilities(
      ConnectionPointer connection,
      @Nullable String emulator,
      @Nullable String architecture,
      @Nullable String machine,
      @Nullable String type,
      int flags);

  int virDomainMigrateToURI3(
      DomainPointer domain, String uri, Pointer params, int count, int flags);

  void virTypedParamsFree(Pointer params, int count);

  /** What libvirt calls when a domain's job has ended (event 21). */
  interface JobCompletedCallback extends VirDomainEventCallback {
    void completed(
        ConnectionPointer connection,
        DomainPointer domain,
        Pointer params,
        int count,
        @Nullable Pointer opaque);
  }

  /** I/O error with its reason (event 6). */
  interface IoErrorCallback extends VirDomainEventCallback {
    void failed(
        ConnectionPointer connection,
        DomainPointer domain,
        @Nullable String path,
        @Nullable String alias,
        int action,
        @Nullable String reason,
        @Nullable Pointer opaque);
  }

  /** A guest's watchdog has fired (event 3). */
  interface WatchdogCallback extends VirDomainEventCallback {
    void fired(
        ConnectionPointer connection, DomainPointer domain, int action, @Nullable Pointer opaque);
  }

  /**
   * libvirt's error handler; the error is a pointer here, so that nothing is read of what nobody
   * looks at.
   */
  interface SilentErrorCallback extends Callback {
    void error(@Nullable Pointer user, @Nullable Pointer error);
  }

  void virSetErrorFunc(@Nullable Pointer user, SilentErrorCallback handler);

  // Events
  int EVENT_LIFECYCLE = 0;
  int EVENT_REBOOT = 1;
  int EVENT_WATCHDOG = 3;
  int EVENT_IO_ERROR_REASON = 6;
  int EVENT_JOB_COMPLETED = 21;

  // virErrorNumber
  int ERROR_NO_SUPPORT = 3;
  int ERROR_XML = 27;
  int ERROR_NO_DOMAIN = 42;
  int ERROR_NO_NETWORK = 43;
  int ERROR_OPERATION_INVALID = 55;
  int ERROR_OPERATION_ABORTED = 78;
  int ERROR_NO_DOMAIN_METADATA = 80;
  int ERROR_AGENT_UNRESPONSIVE = 86;

  // virDomainMigrateFlags
  int MIGRATE_LIVE = 1;
  int MIGRATE_PEER2PEER = 1 << 1;
  int MIGRATE_PERSIST_DEST = 1 << 3;
  int MIGRATE_UNDEFINE_SOURCE = 1 << 4;
  int MIGRATE_PAUSED = 1 << 5;
  int MIGRATE_UNSAFE = 1 << 9;
  int MIGRATE_ABORT_ON_ERROR = 1 << 12;

  // virDomainXMLFlags
  int XML_SECURE = 1;
  int XML_INACTIVE = 1 << 1;
  int XML_MIGRATABLE = 1 << 3;

  // virDomainModificationImpact
  int AFFECT_CURRENT = 0;
  int AFFECT_LIVE = 1;
  int AFFECT_CONFIG = 2;

  int COMPARE_CPU_FAIL_INCOMPATIBLE = 1;
  int METADATA_ELEMENT = 2;
  int START_PAUSED = 1;
  int LIST_AUTOSTART = 1 << 10;
  int UNDEFINE_MANAGED_SAVE = 1;
  int UNDEFINE_SNAPSHOTS = 2;
  int UNDEFINE_KEEP_NVRAM = 8;
  int UNDEFINE_CHECKPOINTS = 16;
  int CONTROL_JOB = 1;
  int CONTROL_OCCUPIED = 2;
  int DISK_ERROR_NO_SPACE = 2;
}
