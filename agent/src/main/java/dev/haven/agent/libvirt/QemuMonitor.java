package dev.haven.agent.libvirt;

import java.util.regex.Pattern;
import org.libvirt.jna.CStringByReference;
import org.libvirt.jna.DomainPointer;
import org.libvirt.jna.LibvirtQemu;

/**
 * QEMU's own word on whether a guest executes, past libvirt, which only repeats what an event said.
 * libvirt marks a domain that was asked in this way as "custom-monitor"; nothing else comes of it.
 */
final class QemuMonitor {
  private static final Pattern STATUS = Pattern.compile("\"running\"\\s*:\\s*(true|false)");

  private QemuMonitor() {}

  /**
   * Tells QEMU to stop, which it may have done by itself: the answer comes once no request of a
   * disk is in flight any more and all that was written is flushed. Then asks whether it runs.
   *
   * @return whether it says that it does not run
   */
  static boolean stopped(Session session, DomainPointer domain) throws LibvirtError {
    command(session, domain, "{\"execute\":\"stop\"}");
    var status = STATUS.matcher(command(session, domain, "{\"execute\":\"query-status\"}"));
    return status.find() && status.group(1).equals("false");
  }

  private static String command(Session session, DomainPointer domain, String json)
      throws LibvirtError {
    var answer = new CStringByReference();
    session.stillWanted();
    session.check(LibvirtQemu.INSTANCE.virDomainQemuMonitorCommand(domain, json, answer, 0));
    var text = answer.getValue().toString();
    if (!text.contains("\"return\"")) {
      throw new LibvirtError(0, "QEMU's monitor says " + text);
    }
    return text;
  }
}
