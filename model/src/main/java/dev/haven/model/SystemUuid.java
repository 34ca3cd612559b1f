package dev.haven.model;

import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * The SMBIOS system UUID of a machine, as {@code /sys/class/dmi/id/product_uuid} tells it. Some
 * makers leave it empty or give the same one to every board; such a UUID tells nothing.
 */
public final class SystemUuid {
  /** How a person says that a machine has no UUID of its own. */
  public static final String NONE = "none";

  private static final Set<String> OF_MANY =
      Set.of(
          "00000000-0000-0000-0000-000000000000",
          "ffffffff-ffff-ffff-ffff-ffffffffffff",
          "03000200-0400-0500-0006-000700080009",
          "12345678-1234-5678-90ab-cddeefaabbcc",
          "00020003-0004-0005-0006-000700080009",
          "fefefefe-fefe-fefe-fefe-fefefefefefe",
          NONE);

  private SystemUuid() {}

  /** In lower case; empty if it does not tell one machine from another. */
  public static Optional<String> usable(String said) {
    var uuid = said.strip().toLowerCase(Locale.ROOT);
    return uuid.isEmpty() || uuid.length() > 64 || OF_MANY.contains(uuid)
        ? Optional.empty()
        : Optional.of(uuid);
  }
}
