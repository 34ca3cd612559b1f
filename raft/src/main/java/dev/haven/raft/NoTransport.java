package dev.haven.raft;

import org.jgroups.Message;
import org.jgroups.PhysicalAddress;
import org.jgroups.protocols.TP;
import org.jgroups.stack.IpAddress;

/**
 * The bottom of the JGroups stack, which leads nowhere: jgroups-raft's protocols need a stack to
 * live in, and no byte from outside reaches JGroups. See {@link Transport}.
 */
final class NoTransport extends TP {
  NoTransport() {
    setBundlerType("nb");
    disableDiagnostics();
    getThreadPool().setMinThreads(0).setMaxThreads(1);
  }

  @Override
  public boolean supportsMulticasting() {
    return true;
  }

  @Override
  protected PhysicalAddress getPhysicalAddress() {
    return new IpAddress(0);
  }

  @Override
  public Object down(Message message) {
    return message;
  }

  @Override
  public void sendToAll(byte[] data, int offset, int length) {}

  @Override
  public void sendUnicast(PhysicalAddress to, byte[] data, int offset, int length) {}
}
