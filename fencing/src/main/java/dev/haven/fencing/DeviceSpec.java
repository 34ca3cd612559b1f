package dev.haven.fencing;

import dev.haven.model.SecretNames;
import java.util.Map;
import java.util.TreeMap;

/**
 * One power device of a host, as an operator writes it down.
 *
 * @param name unique within the plan, shown in alarms, such as {@code bmc-a}
 * @param kind {@code ipmi}, {@code redfish}, {@code libvirt}, {@code http}, {@code command}, {@code
 *     agent}, {@code sbd} or {@code manual}
 * @param settings for every kind {@code delay} (0s: so long a fence waits before it begins with the
 *     device's level) and {@code sharesPower} (false: the device goes dark together with its host);
 *     and by kind:
 *     <ul>
 *       <li>{@code ipmi}: {@code address}, {@code user}, {@code password} or {@code passwordFile};
 *           and if need be {@code port} (623), {@code interface} (lanplus), {@code cipher} (3),
 *           {@code privilege} (OPERATOR), {@code timeout} (5s, for one call), {@code stale} (30s:
 *           so long after its own restart the BMC may take a running host for off)
 *       <li>{@code redfish}: {@code address}, {@code user}, {@code password} or {@code
 *           passwordFile}; and if need be {@code port} (443), {@code system} (its id or UUID, where
 *           the service has several), {@code auth} (session, or basic), one of {@code caFile},
 *           {@code fingerprint} and {@code insecure}, {@code timeout} (10s, for one request),
 *           {@code taskTimeout} (30s, for an order that becomes a task), {@code stale} (30s, as
 *           above)
 *       <li>{@code libvirt}: {@code uri}, {@code domain} (name or UUID), {@code timeout} (10s),
 *           {@code stale} (2s)
 *       <li>{@code http}: {@code model} (tasmota, shelly1, shelly2) and {@code address}, or what a
 *           model stands for: {@code off}, {@code on} and {@code status} (URLs), {@code pointer} or
 *           {@code regex}, {@code offValue}, {@code onValue}, {@code accepted}; and if need be
 *           {@code output}, {@code method} with {@code offBody} and {@code onBody}, {@code auth}
 *           with {@code user} and {@code password} or {@code passwordFile}, one of {@code caFile},
 *           {@code fingerprint} and {@code insecure}, {@code timeout} (5s)
 *       <li>{@code command}: {@code off}, {@code on} and {@code status} (programs with arguments);
 *           and if need be {@code offExit} (2) and {@code onExit} (0), or {@code offMatch} and
 *           {@code onMatch}, {@code alreadyMatch}, {@code env.NAME}, {@code passwordFile}, {@code
 *           timeout} (10s), {@code stale} (30s)
 *       <li>{@code sbd}, alone in its level: {@code disks} (one to three paths, {@code ;} between
 *           them), {@code slot} (the host's name there); and if need be {@code message} (reset, or
 *           off) and {@code timeout} (5s, for one look at a disk)
 *       <li>{@code agent}: {@code agent} (such as {@code fence_ipmilan}, or a path), {@code
 *           timeout} (20s, for one call), {@code stale} (30s, as above), and the agent's own
 *           options under the names of its metadata; {@code passwordFile} fills the agent's
 *           password option
 *       <li>{@code manual}: {@code instructions}, what the operator has to do
 *     </ul>
 */
public record DeviceSpec(String name, String kind, Map<String, String> settings) {
  /** What is shown in place of a secret. */
  public static final String HIDDEN = Secrets.HIDDEN;

  /** So begins a secret that has not been opened with its key: no device is asked with it. */
  public static final String SEALED = "sealed:v1:";

  /** Whether the value of a setting of this name must never be shown. */
  public static boolean isSecret(String setting) {
    return SecretNames.isSecret(setting);
  }

  @SuppressWarnings("ConstantValue") // JSON may leave them out, whatever the types say
  public DeviceSpec {
    if (name == null || name.isBlank()) {
      throw new IllegalArgumentException(
          "a fencing device has no name; give it one, such as bmc-a: it is what alarms call it");
    }
    if (kind == null || kind.isBlank()) {
      throw new IllegalArgumentException(
          "fencing device "
              + name
              + " has no kind; use ipmi, redfish, libvirt, http, command, agent, sbd or manual");
    }
    settings = settings == null ? Map.of() : Map.copyOf(settings);
  }

  /** Names and kinds, with every secret hidden. */
  @Override
  public String toString() {
    var shown = new TreeMap<String, String>();
    settings.forEach(
        (key, value) -> shown.put(key, SecretNames.isSecret(key) ? Secrets.HIDDEN : value));
    return "DeviceSpec[" + name + ", " + kind + ", " + shown + "]";
  }
}
