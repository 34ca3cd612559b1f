package dev.haven.agent.libvirt;

import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The C library in this process: loaded once, silent on stderr, and with its event loop running
 * before the first connection is opened, for otherwise that connection would neither hear events
 * nor send keepalives.
 */
final class EventLoop {
  private static final Logger log = LoggerFactory.getLogger(EventLoop.class);

  // libvirt keeps the bare function pointer: the field keeps the callback from being collected
  private static final Native.SilentErrorCallback SILENT = (user, error) -> {};

  private static final Native LIBVIRT = start();

  private EventLoop() {}

  static Native libvirt() {
    return LIBVIRT;
  }

  private static Native start() {
    var libvirt = com.sun.jna.Native.load("virt", Native.class);
    libvirt.virSetErrorFunc(null, SILENT);
    if (libvirt.virInitialize() < 0 || libvirt.virEventRegisterDefaultImpl() < 0) {
      throw new IllegalStateException("libvirt's library does not start");
    }
    Thread.ofPlatform().daemon().name("libvirt-loop").start(() -> run(libvirt));
    return libvirt;
  }

  private static void run(Native libvirt) {
    while (true) {
      try {
        if (libvirt.virEventRunDefaultImpl() < 0) {
          log.warn("libvirt's event loop reports an error; it goes on");
          TimeUnit.MILLISECONDS.sleep(100); // no busy loop if it fails for good
        }
      } catch (InterruptedException e) {
        log.warn("nobody interrupts the event loop; it goes on");
      }
    }
  }
}
