package dev.haven.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;

/** The BMCs of a lab's hosts: ipmi_sim, one process for each. */
final class Bmcs {
  /** A BMC's answer takes 30 ms; switching waits until the last process of the host is gone. */
  static final Duration LIMIT = Duration.ofSeconds(15);

  private final LabPlan plan;
  private final Control lab;

  /**
   * @param lab the control group of the whole lab
   */
  Bmcs(LabPlan plan, Control lab) {
    this.plan = plan;
    this.lab = lab;
  }

  private Control group(LabHost host) {
    return lab.child("bmc-" + host.id());
  }

  /** Ends the process: nobody answers there any more. */
  void kill(LabHost host) {
    group(host).kill();
  }

  /** Starts it unless it runs; returns once it answers, or at once if it is to hang. */
  void start(LabHost host) {
    var group = group(host);
    if (!group.populated()) {
      group.create();
      var home = host.directory().resolve("bmc");
      // The shell joins the group first, so that an interrupted command leaves no BMC outside it.
      var script =
          "echo $$ > '%s/cgroup.procs' && exec setsid ipmi_sim -n -c '%s/lan.conf' -f '%s/commands' -s '%s/state'"
              .formatted(group.path(), home, home, home);
      try {
        new ProcessBuilder("bash", "-c", script)
            .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
            .redirectErrorStream(true)
            .redirectOutput(
                ProcessBuilder.Redirect.appendTo(
                    host.directory().resolve("log/ipmi_sim.log").toFile()))
            .start();
      } catch (IOException e) {
        throw new LabException(
            "cannot start the BMC of host " + host.id() + ": " + e.getMessage(), e);
      }
    }
    if (mode(host) != BmcMode.HANG) {
      Lab.await(
          "the BMC of host "
              + host.id()
              + " to answer; see "
              + host.directory()
              + "/log/ipmi_sim.log",
          LIMIT,
          () -> ipmi(host, "chassis", "power", "status").ok());
    }
  }

  /** Writes its settings, with passwords of its own. */
  static void describe(LabHost host, boolean identity) throws IOException {
    var home = host.directory().resolve("bmc");
    var admin = secret(host.bmc().passwordFile());
    var viewer = secret(host.bmc().plainPasswordFile());
    LabFiles.writePrivate(
        home.resolve("lan.conf"), LabPlan.bmcLanConf(host, admin, viewer, identity));
    Files.writeString(home.resolve("commands"), LabPlan.bmcCommands(host, identity));
  }

  private static String secret(Path file) throws IOException {
    if (!Files.exists(file)) {
      var bytes = new byte[8];
      new SecureRandom().nextBytes(bytes);
      LabFiles.writePrivate(file, HexFormat.of().formatHex(bytes));
    }
    return Files.readString(file);
  }

  /** Notes how it is to behave, and has it behave so. */
  void set(LabHost host, BmcMode mode) throws IOException {
    LabFiles.writePrivate(host.directory().resolve("bmc/mode"), mode.label() + "\n");
    apply(host, mode);
  }

  /** Has it behave so. */
  void apply(LabHost host, BmcMode mode) {
    var set = "inet " + LabPlan.nftTable(plan.number()) + " hung { " + host.bmc().port() + " }\n";
    MachineTools.run(
        List.of("nft", "-f", "-"),
        "add element " + set + (mode == BmcMode.HANG ? "" : "delete element " + set));
  }

  static BmcMode mode(LabHost host) {
    try {
      var text = Files.readString(host.directory().resolve("bmc/mode")).strip();
      return BmcMode.valueOf(text.toUpperCase(Locale.ROOT));
    } catch (IOException e) {
      return BmcMode.OK;
    }
  }

  /** Asks it, as an operator would. */
  MachineTools.Result ipmi(LabHost host, String... command) {
    var bmc = host.bmc();
    var line = new ArrayList<String>();
    line.addAll(List.of("ipmitool", "-I", "lanplus", "-C", "3", "-N", "1", "-R", "2"));
    line.addAll(List.of("-H", bmc.address(), "-p", Integer.toString(bmc.port())));
    line.addAll(List.of("-U", bmc.user(), "-f", bmc.passwordFile().toString()));
    line.addAll(Arrays.asList(command));
    return MachineTools.attempt(LIMIT, line, "");
  }
}
