package dev.haven.agent.libvirt;

import java.net.NetworkInterface;
import java.net.SocketException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.libvirt.jna.CString;
import org.libvirt.jna.NetworkPointer;

/** What on this host keeps a domain from running here. */
final class Obstacles {
  private Obstacles() {}

  static List<String> of(Session session, MarkedDomain xml) throws LibvirtError {
    var found = new ArrayList<String>();
    for (var link : xml.links()) {
      switch (link.kind()) {
        case BRIDGE -> {
          if (!exists(link.name())) {
            found.add("bridge " + link.name() + " is not on this host");
          }
        }
        case DEVICE -> {
          if (!exists(link.name())) {
            found.add("network device " + link.name() + " is not on this host");
          }
        }
        case NETWORK -> {
          @Nullable NetworkPointer network =
              session.api().virNetworkLookupByName(session.connection(), link.name());
          if (network == null) {
            found.add("libvirt network " + link.name() + " is not defined on this host");
          } else {
            if (session.api().virNetworkIsActive(network) != 1) {
              found.add("libvirt network " + link.name() + " is not started on this host");
            }
            session.api().virNetworkFree(network);
          }
        }
      }
    }
    @Nullable CString capabilities =
        session
            .api()
            .virConnectGetDomainCapabilities(
                session.connection(),
                xml.emulator().orElse(null),
                xml.architecture().orElse(null),
                xml.machine().orElse(null),
                xml.type(),
                0);
    if (capabilities == null) {
      var error = session.lastError();
      if (error.code() != Native.ERROR_NO_SUPPORT) {
        found.add("libvirt cannot run such a domain here: " + error.message());
      }
    } else {
      session.text(capabilities);
    }
    if (xml.comparableCpu().isPresent()) {
      var compared =
          session
              .api()
              .virConnectCompareHypervisorCPU(
                  session.connection(),
                  xml.emulator().orElse(null),
                  xml.architecture().orElse(null),
                  xml.machine().orElse(null),
                  xml.type(),
                  xml.comparableCpu().get(),
                  Native.COMPARE_CPU_FAIL_INCOMPATIBLE);
      if (compared < 0) {
        var error = session.lastError();
        if (error.code() != Native.ERROR_NO_SUPPORT) {
          found.add("the CPU does not fit: " + error.message());
        }
      }
    }
    return List.copyOf(found);
  }

  private static boolean exists(String networkDevice) {
    try {
      return NetworkInterface.getByName(networkDevice) != null;
    } catch (SocketException e) {
      return false;
    }
  }
}
