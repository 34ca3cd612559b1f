package dev.haven.cli;

import dev.haven.model.HostId;
import dev.haven.model.api.Command.TestFencing;
import dev.haven.model.api.Views;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "test",
    description = {
      "Asks a host's fencing devices whether fencing would work; switches nothing.",
      "",
      "With --off-and-on they are really tried, on an empty host: its power is cut, read back off"
          + " and switched on again, and the host has to boot again. A device that cannot tell"
          + " whose it is, such as a plug or most fence agents, counts only after that."
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:every device answers as it should",
      "1:with --off-and-on: the test failed",
      "5:the host has no fencing device, or one is not ok"
    },
    footer = {
      "Examples:",
      "  haven fence test a",
      "  haven evacuate a --wait && haven fence test a --off-and-on && haven uncordon a"
    })
final class FenceTestVerb extends Verb.Operating {
  @Parameters(paramLabel = "HOST", description = "The host.")
  String host = "";

  @Option(
      names = "--off-and-on",
      description =
          "Cut the power of the host, which must be empty and cordoned, and switch it on.")
  boolean offAndOn;

  @Option(
      names = "--level",
      paramLabel = "N",
      description = "With --off-and-on: which level of its fencing devices, 1 or more. Default: 1.")
  int level = 1;

  FenceTestVerb(Haven haven) {
    super(haven);
  }

  @Override
  Exit run() {
    var id = new HostId(host);
    if (offAndOn) {
      if (!dryRun) {
        haven.confirm(
            "Cut the power of whatever level %d of the fencing devices of host %s switches?"
                .formatted(level, id));
      }
      return change(new TestFencing(id, level));
    }
    var devices =
        List.of(haven.cluster().get("/v1/hosts/" + id + "/devices?now=true", Views.Device[].class));
    if (haven.forPeople()) {
      if (devices.isEmpty()) {
        haven.print("host %s has no fencing device".formatted(id));
      } else {
        haven.print(Show.devices(devices));
      }
    } else {
      haven.printData(devices);
    }
    return !devices.isEmpty() && devices.stream().allMatch(d -> d.state() == Views.Device.State.OK)
        ? Exit.OK
        : Exit.ATTENTION;
  }
}
