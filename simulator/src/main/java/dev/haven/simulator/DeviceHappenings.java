package dev.haven.simulator;

import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import java.util.List;
import java.util.Map;

/** How power devices behave from now on. */
final class DeviceHappenings {
  private final World world;
  private final Simulation cluster;

  DeviceHappenings(World world, Simulation cluster) {
    this.world = world;
    this.cluster = cluster;
  }

  /** Of all hosts, if none is named. */
  void behave(Simulation.PowerDeviceMode mode, String... hosts) {
    for (var name : hosts.length == 0 ? names() : List.of(hosts)) {
      world.log("happens", "the power device of host " + name + " " + mode.words);
      host(name).device.behaves(mode.device);
    }
  }

  private List<String> names() {
    return world.hosts.keySet().stream().map(HostId::value).toList();
  }

  /** A second power supply with a device of its own; how that behaves from now on. */
  void secondSupply(String name, Simulation.PowerDeviceMode mode) {
    world.log(
        "happens", "the device of the second power supply of host " + name + " " + mode.words);
    var h = host(name);
    if (h.secondDevice == null) {
      h.secondDevice = new SimDevice(world, h, 1);
      world
          .committed
          .host(h.id)
          .ifPresent(
              known ->
                  cluster.ask(
                      new Command.AddHost(
                          known
                              .spec()
                              .with(
                                  List.of(
                                      List.of(
                                          new FencingDevice("bmc-" + name, "ipmi", Map.of()),
                                          new FencingDevice(
                                              SimVoter.SECOND + name, "ipmi", Map.of())))))));
    }
    h.secondDevice.behaves(mode.device);
  }

  private SimHost host(String name) {
    return world.host(new HostId(name));
  }
}
