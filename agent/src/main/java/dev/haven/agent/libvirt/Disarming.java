package dev.haven.agent.libvirt;

import dev.haven.agent.libvirt.Session.Result;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.libvirt.jna.DomainPointer;

/** Sees to it that libvirt starts no guest by itself. */
final class Disarming {
  private static final Duration WITHIN = Duration.ofSeconds(30);

  private final Driver driver;

  Disarming(Driver driver) {
    this.driver = driver;
  }

  /**
   * Takes away an autostart flag that was set by hand since, and an image that libvirt's own
   * service saved.
   *
   * @return what libvirt may start all the same
   */
  List<String> disarm(Sessions sessions) {
    var result =
        sessions.run(session -> session.each(0, domain -> disarm(session, domain)), WITHIN);
    return switch (result) {
      case Result.Done<List<Optional<String>>>(var found) ->
          found.stream().flatMap(Optional::stream).toList();
      case Result.Refused<List<Optional<String>>>(var error) -> unknown(error.message());
      case Result.Lost<List<Optional<String>>>(var reason) -> unknown(reason);
      case Result.Unsent<List<Optional<String>>>(var reason) -> unknown(reason);
    };
  }

  private static List<String> unknown(String why) {
    return List.of("guests may be started by libvirt itself: " + why);
  }

  private Optional<String> disarm(Session session, DomainPointer domain) throws LibvirtError {
    var api = session.api();
    var mark = session.mark(domain, Native.AFFECT_CURRENT);
    if (mark.isEmpty() || session.check(api.virDomainIsPersistent(domain)) != 1) {
      return Optional.empty();
    }
    try {
      if (session.autostart(domain)) {
        session.stillWanted();
        session.check(api.virDomainSetAutostart(domain, 0));
        var active = !session.state(domain).shutOff();
        session.writeMark(
            domain,
            new MarkedDomain.Mark(mark.get().epoch(), true),
            active ? Native.AFFECT_LIVE | Native.AFFECT_CONFIG : Native.AFFECT_CONFIG);
      }
      if (driver != Driver.OTHER && api.virDomainHasManagedSaveImage(domain, 0) == 1) {
        session.stillWanted();
        session.check(api.virDomainManagedSaveRemove(domain, 0));
      }
      return Optional.empty();
    } catch (LibvirtError e) {
      return e.code() == Native.ERROR_NO_DOMAIN
          ? Optional.empty()
          : Optional.of(
              "libvirt may start guest %s by itself: %s"
                  .formatted(api.virDomainGetName(domain), e.message()));
    }
  }
}
