package dev.haven.model;

import java.util.Map;

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

  /** Never shows the settings: they may hold a password. */
  @Override
  public String toString() {
    return kind + " device " + name;
  }
}
