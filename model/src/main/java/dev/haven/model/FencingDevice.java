package dev.haven.model;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;

/**
 * A device that can cut a host's power, as an operator described it.
 *
 * @param name unique within the host, such as {@code ipmi}
 * @param kind {@code ipmi}, {@code agent} or {@code manual}
 * @param settings what the kind needs; secrets as {@code passwordFile}
 */
public record FencingDevice(String name, String kind, Map<String, String> settings) {
  public FencingDevice {
    settings = Map.copyOf(settings);
  }

  /**
   * Tells this device from any other one, for a test of it to be kept on record: its settings
   * without its secrets, which may change without making it another device.
   */
  public String mark() {
    var text = new StringBuilder(kind).append('\n').append(name).append('\n');
    new TreeMap<>(settings)
        .forEach(
            (key, value) -> {
              if (!SecretNames.isAboutSecret(key)) {
                text.append(key).append('=').append(value).append('\n');
              }
            });
    try {
      var digest =
          MessageDigest.getInstance("SHA-256")
              .digest(text.toString().getBytes(StandardCharsets.UTF_8));
      return name + ":" + HexFormat.of().formatHex(digest, 0, 16);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every JDK has it
    }
  }

  /** Never shows the settings: they may hold a password. */
  @Override
  public String toString() {
    return kind + " device " + name;
  }
}
