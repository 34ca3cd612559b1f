package dev.haven.fencing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A real IPMI 2.0 BMC over UDP, OpenIPMI's ipmi_sim, with a script in place of the power supply.
 */
final class SimulatedBmc implements AutoCloseable {
  static final String PASSWORD = "hush-Tr33-9";
  static final String GUID = "a123456789abcdefa123456789abcde1";

  private final Path folder;
  private final int port;
  private final Process process;

  /**
   * @param guid 32 hexadecimal digits
   */
  SimulatedBmc(Path folder, String guid) throws IOException, InterruptedException {
    this.folder = Files.createDirectories(folder);
    port = FreePorts.at("127.0.0.1");
    power(true);
    mode("ok");
    var script = folder.resolve("power.sh");
    Files.writeString(
        script,
        """
        #!/bin/sh
        cd %s
        mode=$(cat mode)
        case "$2" in
        get)
          case "$mode" in
          lie) echo power:0 ;;
          slow) [ "$(date +%%s%%N)" -lt "$(cat until)" ] && echo power:1 || echo power:0 ;;
          *) echo "power:$(cat power)" ;;
          esac ;;
        set)
          [ "$mode" = refuse ] && exit 1
          [ "$mode" = lie ] && exit 0
          [ "$mode" = slow ] && echo $(($(date +%%s%%N) + 1200000000)) > until
          shift 2
          while [ $# -gt 1 ]; do [ "$1" = power ] && echo "$2" > power && echo "$2" >> orders; shift 2; done ;;
        esac
        exit 0
        """
            .formatted(folder));
    script.toFile().setExecutable(true);
    Files.writeString(
        folder.resolve("lan.conf"),
        """
        name "test"
        set_working_mc 0x20
          startlan 1
          addr 127.0.0.1 %d
          priv_limit admin
          allowed_auths_callback none md2 md5 straight
          allowed_auths_user md5
          allowed_auths_operator md5
          allowed_auths_admin md5
          guid %s
          endlan
          chassis_control "%s 0x20"
          user 2 true "haven" "%s" operator 10 none md2 md5 straight
          user 3 true "looker" "%s" user 10 none md2 md5 straight
        """
            .formatted(port, guid, script, PASSWORD, PASSWORD));
    Files.writeString(
        folder.resolve("bmc.emu"),
        "mc_setbmc 0x20\n"
            + "mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\n"
            + "mc_enable 0x20\n");
    process =
        new ProcessBuilder("ipmi_sim", "-n", "-c", "lan.conf", "-f", "bmc.emu", "-s", "state")
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("log").toFile())
            .start();
    var deadline = Deadline.in(Duration.ofSeconds(10));
    while (!(IpmiDevice.open(spec("probe"), IpmitoolHome.in(folder)).read(Duration.ofSeconds(1))
        instanceof PowerReading.On)) {
      if (deadline.left().isZero() || !process.isAlive()) {
        throw new IOException(
            "ipmi_sim does not answer: " + Files.readString(folder.resolve("log")));
      }
    }
  }

  /** What an operator would write about it; more settings as pairs. */
  DeviceSpec spec(String name, String... more) {
    Map<String, String> settings = new HashMap<>();
    settings.put("address", "127.0.0.1");
    settings.put("port", "" + port);
    settings.put("user", "haven");
    settings.put("password", PASSWORD);
    for (int i = 0; i < more.length; i += 2) {
      settings.put(more[i], more[i + 1]);
    }
    return new DeviceSpec(name, "ipmi", settings);
  }

  int port() {
    return port;
  }

  /**
   * {@code ok}, {@code refuse}, {@code lie} (says off and switches nothing) or {@code slow} (says
   * on for 1.2 s more).
   */
  void mode(String mode) throws IOException {
    Files.writeString(folder.resolve("mode"), mode);
  }

  void power(boolean on) throws IOException {
    Files.writeString(folder.resolve("power"), on ? "1" : "0");
  }

  boolean power() throws IOException {
    return Files.readString(folder.resolve("power")).strip().equals("1");
  }

  /** How often something was switched. */
  long orders() throws IOException {
    var orders = folder.resolve("orders");
    return Files.exists(orders) ? Files.readAllLines(orders).size() : 0;
  }

  /** It answers nothing any more, as a BMC whose firmware has crashed. */
  void hang() throws IOException, InterruptedException {
    signal("STOP");
  }

  private void signal(String signal) throws IOException, InterruptedException {
    new ProcessBuilder("kill", "-" + signal, "" + process.pid()).start().waitFor();
  }

  @Override
  public void close() throws IOException, InterruptedException {
    process.destroyForcibly();
    process.waitFor(5, TimeUnit.SECONDS);
  }
}
