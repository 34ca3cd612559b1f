package dev.haven.lab;

import java.time.Duration;
import java.util.List;

/** What labs have left in the kernel. */
final class Leftovers {
  private Leftovers() {}

  /** Removes everything in the kernel that a lab of this number can have made. */
  static void sweep(int number) {
    var control = new Control(Control.mount()).child(LabPlan.controlGroup(number));
    var prefix = LabPlan.prefix(number);
    control.kill();
    Lab.await(
        "the processes of lab " + number + " to end",
        Duration.ofSeconds(20),
        () -> !control.populated());
    control.remove();
    Impairments.sweep(number);
    namesOf(MachineTools.run("ip", "-o", "link", "show")).stream()
        .filter(name -> name.startsWith(prefix))
        .forEach(
            name ->
                MachineTools.attempt(
                    MachineTools.LIMIT, List.of("ip", "link", "del", "dev", name), ""));
    MachineTools.run("ip", "netns", "list")
        .lines()
        .map(line -> line.split(" ", 2)[0])
        .filter(name -> name.startsWith(prefix))
        .forEach(name -> MachineTools.run("ip", "netns", "del", name));
    var table = LabPlan.nftTable(number);
    MachineTools.run(
        List.of("nft", "-f", "-"),
        "add table inet " + table + "\ndelete table inet " + table + "\n");
  }

  /** {@code 7: hv0-a-con@if2: <…>} is the link hv0-a-control. */
  static List<String> namesOf(String links) {
    return links
        .lines()
        .map(line -> line.split(": ", 3))
        .filter(parts -> parts.length == 3)
        .map(parts -> parts[1].split("@", 2)[0])
        .toList();
  }
}
