package dev.haven.agent.libvirt;

import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.libvirt.jna.CString;
import org.libvirt.jna.DomainPointer;
import org.libvirt.jna.LibvirtQemu;

/** The way to qemu-guest-agent inside a guest, which libvirt has in a library of its own. */
final class GuestAgent {
  /** libvirt takes 5 s to find out that an agent does not listen, and this for its answer. */
  private static final int ANSWER_SECONDS = 5;

  private static final Pattern CHANNEL =
      Pattern.compile("<target\\b[^>]*\\bname='org\\.qemu\\.guest_agent\\.0'[^>]*>");

  private GuestAgent() {}

  /**
   * The agent's answer; null if there was none, and libvirt's error says why. Blocks for as long as
   * libvirt does, up to 10 s.
   */
  static @Nullable CString ping(DomainPointer domain) {
    return LibvirtQemu.INSTANCE.virDomainQemuAgentCommand(
        domain, "{\"execute\":\"guest-ping\"}", ANSWER_SECONDS, 0);
  }

  /**
   * Whether the guest keeps the port open: an agent that was stopped, or has died, has closed it.
   *
   * @param xml of the running domain
   */
  static boolean portOpen(String xml) {
    var channel = CHANNEL.matcher(xml);
    return channel.find() && channel.group().contains("state='connected'");
  }
}
