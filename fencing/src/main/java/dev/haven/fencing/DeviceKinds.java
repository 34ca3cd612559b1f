package dev.haven.fencing;

import java.nio.file.Path;

/** Turns what an operator wrote into a device that can be asked. */
@FunctionalInterface
public interface DeviceKinds {
  /**
   * @throws FencingConfigException when a setting is missing, unknown or impossible
   */
  PowerDevice open(DeviceSpec spec);

  /**
   * {@code ipmi}, {@code redfish}, {@code libvirt}, {@code http}, {@code command}, {@code agent},
   * {@code sbd} and {@code manual}.
   *
   * @param folder what their programs read is kept there, and found again by the next process
   */
  static DeviceKinds standard(Path folder) {
    var ipmitoolHome = IpmitoolHome.in(folder);
    return spec -> {
      var settings = new DeviceSettings(spec);
      settings.refuseUnreadable();
      settings.delay();
      settings.sharesPower();
      return switch (spec.kind()) {
        case "ipmi" -> IpmiDevice.open(spec, ipmitoolHome);
        case "redfish" -> RedfishDevice.open(spec);
        case "sbd" -> SbdDevice.open(spec);
        case "libvirt" -> LibvirtDevice.open(spec);
        case "http" -> HttpDevice.open(spec);
        case "command" -> CommandDevice.open(spec);
        case "agent" -> FenceAgentDevice.open(spec);
        case "manual" -> ManualDevice.open(spec);
        default ->
            throw new FencingConfigException(
                spec.name(),
                "kind " + spec.kind() + " is unknown",
                "use ipmi, redfish, libvirt, http, command, agent (any ClusterLabs fence agent),"
                    + " sbd or manual");
      };
    };
  }
}
