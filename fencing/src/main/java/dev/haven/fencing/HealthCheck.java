package dev.haven.fencing;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** One look at one device: whether a fence by it would work. Switches nothing. */
final class HealthCheck {
  private final Fencer fencer;
  private final FencingTarget target;
  private final DeviceSpec spec;
  private final boolean dark;
  private final Deadline deadline;
  private final Instant began;
  private final List<String> warnings = new ArrayList<>();
  private String behaviour = "";

  /**
   * @param dark every level has a device that shares the host's power
   */
  HealthCheck(
      Fencer fencer, FencingTarget target, DeviceSpec spec, boolean dark, Deadline deadline) {
    this.fencer = fencer;
    this.began = fencer.time().instant();
    this.target = target;
    this.spec = spec;
    this.dark = dark;
    this.deadline = deadline;
  }

  DeviceHealth run() {
    try (var device = fencer.kinds().open(spec)) {
      behaviour = behaviour(device);
      if (device instanceof ManualDevice) {
        return health(
            true,
            device.read(deadline.left()),
            device.privilege(deadline.left()),
            new DeviceIdentity.Unknown("a person switches it"),
            spec.name() + " is a person: a fence that comes to it waits until someone confirms",
            "");
      }
      if (device instanceof SbdDevice sbd) {
        return look(sbd);
      }
      return look(device);
    } catch (FencingConfigException e) {
      var unasked = new DeviceIdentity.Unknown("it could not be asked");
      return health(
          false,
          fencer.unknown(spec, e.getMessage()),
          new Privilege.Unknown("it could not be asked"),
          unasked,
          e.getMessage(),
          "correct it and check again");
    }
  }

  private static String behaviour(PowerDevice device) {
    return switch (device) {
      case ManualDevice _ -> "a person switches; a fence waits for their word";
      case SbdDevice _ -> "a message ends the host, and its wait is the proof; reads no power";
      default ->
          device
              .stale()
              .map(
                  stale ->
                      "may refuse the order while the host is off: then it is proven off after it"
                          + " has said so for "
                          + Program.seconds(stale))
              .orElse("takes the order also while the host is off");
    };
  }

  private DeviceHealth look(SbdDevice sbd) {
    var finding = sbd.look(deadline.left());
    warnings.addAll(finding.warnings());
    return health(
        !finding.broken(),
        sbd.read(deadline.left()),
        sbd.privilege(deadline.left()),
        new DeviceIdentity.Unknown("a disk names its host by the slot"),
        finding.sentence(),
        finding.broken() ? "until then host " + target.host() + " is not fenced by it" : "");
  }

  private DeviceHealth look(PowerDevice device) {
    warnings.addAll(device.warnings());
    if (dark && Fencer.sharesPower(spec)) {
      warnings.add(
          spec.name()
              + " loses its power together with host "
              + target.host()
              + ", and no level does without such a device: when the cord is pulled nothing"
              + " proves that the host is off; add a level with a power supply of its own, such"
              + " as a switched outlet");
    }
    var power = fencer.readings().read(device, spec, deadline.left(), false);
    var privilege = device.privilege(deadline.left());
    if (power instanceof PowerReading.Unknown unknown) {
      return mute(unknown, privilege);
    }
    var guid =
        target.systemUuid().isEmpty()
            ? Optional.<String>empty()
            : device.systemGuid(deadline.left());
    var identity = DeviceIdentity.compare(spec.name(), target, guid);
    fencer.findings().remember(target, spec, identity);
    if (identity instanceof DeviceIdentity.Different(var alarm)) {
      return health(
          false,
          power,
          privilege,
          identity,
          alarm,
          "until then host " + target.host() + " is not fenced by it");
    }
    if (privilege instanceof Privilege.Missing(var why)) {
      return mayNotSwitch(power, privilege, identity, why);
    }
    return answers(power, privilege, identity);
  }

  /** It tells no power. */
  private DeviceHealth mute(PowerReading.Unknown power, Privilege privilege) {
    var unasked = new DeviceIdentity.Unknown("it could not be asked");
    return privilege instanceof Privilege.Missing(var why)
        ? mayNotSwitch(power, privilege, unasked, why)
        : health(
            false,
            power,
            privilege,
            unasked,
            power.device()
                + " does not tell the power of host "
                + target.host()
                + ": "
                + power.reason(),
            "check its address, its cable and the account; until then host "
                + target.host()
                + " cannot be fenced by it");
  }

  private DeviceHealth answers(PowerReading power, Privilege privilege, DeviceIdentity identity) {
    return health(
        true,
        power,
        privilege,
        identity,
        spec.name()
            + " answers, says "
            + (power instanceof PowerReading.On ? "on" : "off")
            + switch (privilege) {
              case Privilege.Enough() -> ", may switch";
              case Privilege.Missing _ -> ", may not switch";
              case Privilege.Unknown(var reason) ->
                  ", whether it may switch is not known (" + reason + ")";
            }
            + switch (identity) {
              case DeviceIdentity.Same() -> ", and is this host's";
              case DeviceIdentity.Different _ -> ", and is another host's";
              case DeviceIdentity.Unknown(var reason) ->
                  "; whose it is is not proven (" + reason + ")";
            },
        identity instanceof DeviceIdentity.Unknown
            ? "test it once with the host evacuated, so that its word counts"
            : "");
  }

  private DeviceHealth mayNotSwitch(
      PowerReading power, Privilege privilege, DeviceIdentity identity, String why) {
    return health(
        false,
        power,
        privilege,
        identity,
        spec.name() + " answers, but its account may not switch the power: " + why,
        "give the account the privilege OPERATOR at the device, or use another account");
  }

  private DeviceHealth health(
      boolean usable,
      PowerReading power,
      Privilege privilege,
      DeviceIdentity identity,
      String sentence,
      String wayOut) {
    return new DeviceHealth(
        spec.name(),
        began,
        usable,
        power,
        privilege,
        identity,
        sentence,
        wayOut,
        warnings,
        behaviour);
  }
}
