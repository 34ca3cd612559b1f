package dev.haven.lab;

import dev.haven.model.HostId;
import java.util.List;
import java.util.Map;

/** What a lab looks like from outside, read from the kernel and not from what anybody reports. */
public record LabStatus(List<Host> hosts) {

  /**
   * @param on whether any of its processes lives
   * @param cut the networks on which nothing gets through, by an order to the lab
   * @param daemons those that run now
   * @param guests the names of the QEMU processes on it
   */
  public record Host(
      HostId id,
      boolean on,
      boolean hung,
      List<String> cut,
      BmcMode bmc,
      Map<Daemon, Process> daemons,
      List<String> guests) {}

  /**
   * @param pid as seen from outside the host
   * @param restarts how often the supervisor started it again since the host was powered on
   */
  public record Process(long pid, int restarts, boolean stopped) {}
}
