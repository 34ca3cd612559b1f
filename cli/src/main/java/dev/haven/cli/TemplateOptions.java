package dev.haven.cli;

import dev.haven.model.GuestId;
import dev.haven.model.Size;
import dev.haven.templates.DirectKernel;
import dev.haven.templates.DomainSchema;
import dev.haven.templates.GuestParameters;
import dev.haven.templates.GuestTemplate;
import dev.haven.templates.Nic;
import dev.haven.templates.TemplateDisk;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What a template is filled with. */
final class TemplateOptions {
  @Option(
      names = "--template",
      paramLabel = "NAME",
      description = "Make its XML from this template; see below.")
  @Nullable String name;

  @Option(
      names = "--disk",
      paramLabel = "PATH[,format=qcow2][,bus=…][,device=cdrom]",
      description = "A disk, under the same path on every host. May be repeated.")
  List<String> disks = new ArrayList<>();

  @Option(
      names = "--network",
      paramLabel = "KIND=NAME[,mac=…]",
      description = "A network card, such as bridge=br0 or network=default. May be repeated.")
  List<String> networks = new ArrayList<>();

  @Option(
      names = "--kernel",
      paramLabel = "FILE",
      description = "Boot this kernel instead of the disk.")
  @Nullable String kernel;

  @Option(
      names = "--initrd",
      paramLabel = "FILE",
      description = "With --kernel: its initial RAM disk.")
  @Nullable String initrd;

  @Option(
      names = "--cmdline",
      paramLabel = "TEXT",
      description = "With --kernel: its command line.")
  String cmdline = "";

  @Option(
      names = "--console-log",
      paramLabel = "FILE",
      description = "Append its serial console to this file on its host.")
  @Nullable String consoleLog;

  @Option(
      names = "--cpu-model",
      paramLabel = "MODEL",
      description = "A CPU model of libvirt that every host offers. Default: the template's.")
  @Nullable String cpuModel;

  @Option(
      names = "--watchdog",
      paramLabel = "reset|poweroff|pause|none",
      description = {
        "An i6300esb watchdog, and what QEMU does when the guest stops feeding it. reset: boots it"
            + " again in place. poweroff: ends it, which counts as a crash. pause: keeps it for a"
            + " look. none: nothing; --unhealthy says what Haven does."
      })
  GuestParameters.@Nullable WatchdogAction watchdog;

  @Option(names = "--tpm", description = "Give it an emulated TPM 2.0.")
  boolean tpm;

  @Option(names = "--vnc", description = "Give it a screen (VNC) on the host's loopback address.")
  boolean vnc;

  /**
   * @throws IllegalArgumentException naming the wrong option
   */
  String render(GuestId id, @Nullable String memory, @Nullable Integer cpus) {
    // before anything that only makes sense once it is known
    var named = String.valueOf(name);
    var template =
        named.contains("/") || named.endsWith(".xml")
            ? GuestTemplate.load(Path.of(named))
            : GuestTemplate.named(named);
    if (memory == null || cpus == null) {
      throw new Stop(
          Exit.USAGE,
          "guest %s: how large? Add --memory and --cpus, such as --memory 2GiB --cpus 2"
              .formatted(id));
    }
    if (kernel == null && (initrd != null || !cmdline.isEmpty())) {
      throw new Stop(Exit.USAGE, "guest %s: --initrd and --cmdline need --kernel".formatted(id));
    }
    var guest = GuestParameters.builder(id.value(), Size.parse(memory), cpus).tpm(tpm).vnc(vnc);
    disks.forEach(disk -> guest.disk(TemplateDisk.parse(disk)));
    networks.forEach(network -> guest.network(Nic.parse(network)));
    if (kernel != null) {
      guest.kernel(new DirectKernel(kernel, Optional.ofNullable(initrd), cmdline));
    }
    if (consoleLog != null) {
      guest.consoleLog(consoleLog);
    }
    if (watchdog != null) {
      guest.watchdog(watchdog);
    }
    if (cpuModel != null) {
      guest.cpuModel(cpuModel);
    }
    var parameters = guest.build();
    // where libvirt is not installed, its hosts check it when the guest is defined
    return DomainSchema.installed()
        .map(schema -> template.render(parameters, schema))
        .orElseGet(() -> template.render(parameters));
  }
}
