package dev.haven.fencing;

/** Turns what an operator wrote into a device that can be asked. */
@FunctionalInterface
public interface DeviceKinds {
  /**
   * @throws FencingConfigException when a setting is missing, unknown or impossible
   */
  PowerDevice open(DeviceSpec spec);

  /** {@code ipmi}, {@code agent} and {@code manual}. */
  static DeviceKinds standard() {
    return spec ->
        switch (spec.kind()) {
          case "ipmi" -> IpmiDevice.open(spec);
          case "agent" -> FenceAgentDevice.open(spec);
          case "manual" -> ManualDevice.open(spec);
          default ->
              throw new FencingConfigException(
                  spec.name(),
                  "kind " + spec.kind() + " is unknown",
                  "use ipmi, agent (any ClusterLabs fence agent) or manual");
        };
  }
}
