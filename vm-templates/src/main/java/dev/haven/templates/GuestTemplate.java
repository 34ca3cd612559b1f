package dev.haven.templates;

import dev.haven.model.Xml;
import dev.haven.templates.TemplateDisk.Bus;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.w3c.dom.Document;

/** A kind of guest: domain XML with gaps that {@link GuestParameters} fill. */
public final class GuestTemplate {
  private static final List<GuestTemplate> BUILT_IN =
      List.of(
          new GuestTemplate(
              "kvm-linux",
              resource("linux.xml"),
              "a Linux guest on KVM, virtio devices",
              Bus.VIRTIO,
              "host-model",
              "kvm"),
          new GuestTemplate(
              "qemu-linux",
              resource("linux.xml"),
              "the same without KVM (slow; labs and tests)",
              Bus.VIRTIO,
              "",
              "qemu"),
          new GuestTemplate(
              "kvm-windows",
              resource("windows.xml"),
              "UEFI, Hyper-V enlightenments, virtio devices",
              Bus.VIRTIO,
              "host-model",
              "kvm"),
          new GuestTemplate(
              "xen-pv", resource("xen.xml"), "a paravirtual guest on Xen", Bus.XEN, "", "pv"),
          new GuestTemplate(
              "xen-pvh",
              resource("xen.xml"),
              "a PVH guest on Xen; needs a kernel",
              Bus.XEN,
              "",
              "pvh"),
          new GuestTemplate(
              "xen-hvm", resource("xen.xml"), "a fully emulated guest on Xen", Bus.XEN, "", "hvm"));

  private final String name;
  private final Document document;
  private final String description;
  private final Bus bus;
  private final String cpuModel;
  private final String kind;

  private GuestTemplate(
      String name, Document document, String description, Bus bus, String cpuModel, String kind) {
    this.name = name;
    this.document = document;
    this.description = description;
    this.bus = bus;
    this.cpuModel = cpuModel;
    this.kind = kind;
  }

  /** All templates that come with Haven. */
  public static List<GuestTemplate> builtIn() {
    return BUILT_IN;
  }

  /**
   * A template that comes with Haven.
   *
   * @throws IllegalArgumentException naming those that there are
   */
  public static GuestTemplate named(String name) {
    return BUILT_IN.stream()
        .filter(template -> template.name.equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "template '%s' is unknown; there are %s, or give the path of a file of your own"
                        .formatted(
                            name,
                            BUILT_IN.stream()
                                .map(GuestTemplate::name)
                                .collect(Collectors.joining(", ")))));
  }

  /**
   * A template of the operator's own, in the same form as ours (docs/templates.md).
   *
   * @throws IllegalArgumentException if the file cannot be read or is not well-formed
   */
  public static GuestTemplate load(Path file) {
    try {
      return new GuestTemplate(
          file.toString(),
          Xml.document("template " + file, Files.readString(file)),
          "",
          Bus.VIRTIO,
          "",
          "kvm");
    } catch (NoSuchFileException e) {
      throw new IllegalArgumentException("template " + file + ": there is no such file");
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "template " + file + ": cannot be read (" + e.getMessage() + ")");
    }
  }

  public String name() {
    return name;
  }

  /** One line for a list of templates. */
  public String description() {
    return description;
  }

  /**
   * The domain XML of the guest, not checked against libvirt's schema.
   *
   * @throws IllegalArgumentException if the template lacks a parameter or cannot do what they ask
   */
  public String render(GuestParameters parameters) {
    return fill(parameters).xml();
  }

  /**
   * The domain XML of the guest, checked.
   *
   * @throws IllegalArgumentException also if libvirt's schema refuses the result; names the
   *     parameter
   */
  public String render(GuestParameters parameters, DomainSchema schema) {
    var result = fill(parameters);
    schema.check(parameters.name(), result.xml(), result.origins());
    return result.xml();
  }

  private Rendering.Result fill(GuestParameters guest) {
    refuseImpossible(guest);
    var disks = disks(guest);
    var values = values(guest);
    if (disks.stream().anyMatch(disk -> "scsi".equals(disk.get("disk.bus")))) {
      values.put("scsi", "yes");
    }
    return Rendering.render(
        "guest %s: template %s".formatted(guest.name(), name),
        document,
        values,
        Map.of("disk", disks, "nic", nics(guest)),
        GuestTemplate::resource);
  }

  private void refuseImpossible(GuestParameters guest) {
    boolean xen = List.of("pv", "pvh", "hvm").contains(kind);
    refuse(
        guest,
        "pvh".equals(kind) && guest.kernel().isEmpty(),
        "needs a kernel from the host; give one");
    refuse(guest, xen && guest.tpm(), "has no TPM; leave it out");
    refuse(guest, xen && guest.watchdog().isPresent(), "has no watchdog device; leave it out");
    refuse(
        guest,
        xen && guest.consoleLog().isPresent(),
        "has no console log: Xen keeps its own below /var/log/xen; leave it out");
    refuse(
        guest,
        xen && guest.cpuModel().isPresent(),
        "shows the guest the host's CPU; leave the CPU model out");
    refuse(
        guest,
        "kvm-windows".equals(name) && guest.kernel().isPresent(),
        "boots by UEFI from its disk; leave the kernel out or take kvm-linux");
    refuse(
        guest,
        guest.kernel().isEmpty() && guest.disks().isEmpty(),
        "has nothing to boot from; give a disk or a kernel");
    var buses = xen ? List.of(Bus.XEN, Bus.IDE) : List.of(Bus.VIRTIO, Bus.SCSI, Bus.SATA);
    for (var disk : guest.disks()) {
      var asked = disk.bus().orElse(bus);
      refuse(
          guest,
          !buses.contains(asked),
          "has no bus '%s' for disk %s; use %s"
              .formatted(
                  TemplateDisk.word(asked),
                  disk.path(),
                  buses.stream().map(TemplateDisk::word).collect(Collectors.joining(" or "))));
    }
  }

  private void refuse(GuestParameters guest, boolean impossible, String why) {
    if (impossible) {
      throw new IllegalArgumentException(
          "guest %s: template %s %s".formatted(guest.name(), name, why));
    }
  }

  private Map<String, String> values(GuestParameters guest) {
    var values = new HashMap<String, String>();
    values.put("name", guest.name());
    values.put("uuid", guest.uuid().toString());
    values.put("memoryMib", String.valueOf(guest.memory().mib()));
    values.put("vcpus", String.valueOf(guest.vcpus()));
    values.put("type", kind);
    values.put(kind, "yes");
    guest
        .kernel()
        .ifPresent(
            kernel -> {
              values.put("kernel", kernel.kernel());
              kernel.initrd().ifPresent(path -> values.put("initrd", path));
              if (!kernel.commandLine().isBlank()) {
                values.put("cmdline", kernel.commandLine());
              }
            });
    if (guest.kernel().isEmpty()) {
      values.put("pv".equals(kind) ? "bootloader" : "bootFromDisk", "pygrub");
    }
    guest.consoleLog().ifPresent(path -> values.put("consoleLog", path));
    var cpu = guest.cpuModel().orElse(cpuModel);
    switch (cpu) {
      case "" -> {}
      case "host-passthrough" -> values.put("cpu.passthrough", cpu);
      case "host-model" -> values.put("cpu.mode", cpu);
      default -> values.put("cpu.named", cpu);
    }
    guest.watchdog().ifPresent(action -> values.put("watchdog", TemplateDisk.word(action)));
    if (guest.tpm()) {
      values.put("tpm", "yes");
    }
    guest.nvram().or(() -> nvramBesideDisk(guest)).ifPresent(path -> values.put("nvram", path));
    if (guest.vnc()) {
      values.put("vnc", "yes");
    }
    return values;
  }

  private static Optional<String> nvramBesideDisk(GuestParameters guest) {
    return guest.disks().stream()
        .filter(disk -> !disk.isBlockDevice())
        .filter(disk -> disk.device() == TemplateDisk.Device.DISK)
        .findFirst()
        .map(
            disk ->
                disk.path().substring(0, disk.path().lastIndexOf('/') + 1)
                    + guest.name()
                    + "_VARS.fd");
  }

  private List<Map<String, String>> disks(GuestParameters guest) {
    var disks = new ArrayList<Map<String, String>>();
    var used = new HashMap<String, Integer>();
    for (var disk : guest.disks()) {
      boolean cdrom = disk.device() == TemplateDisk.Device.CDROM;
      // q35 has no IDE, and a CD-ROM on virtio is not one that installers know.
      var preferred = cdrom && bus == Bus.VIRTIO ? Bus.SATA : bus;
      var diskBus = disk.bus().orElse(preferred);
      var values = new HashMap<String, String>();
      values.put("disk.device", TemplateDisk.word(disk.device()));
      values.put("disk.format", TemplateDisk.word(disk.format()));
      values.put("disk.bus", TemplateDisk.word(diskBus));
      values.put(
          "disk.target", diskBus.prefix + letters(used.merge(diskBus.prefix, 1, Integer::sum) - 1));
      values.put("disk.type", disk.isBlockDevice() ? "block" : "file");
      values.put(disk.isBlockDevice() ? "disk.block" : "disk.file", disk.path());
      if (cdrom) {
        values.put("disk.readonly", "yes");
      }
      disks.add(values);
    }
    return disks;
  }

  /** a to z, aa, ab and so on. */
  private static String letters(int index) {
    var last = String.valueOf((char) ('a' + index % 26));
    return index < 26 ? last : letters(index / 26 - 1) + last;
  }

  private static List<Map<String, String>> nics(GuestParameters guest) {
    var nics = new ArrayList<Map<String, String>>();
    for (var nic : guest.networks()) {
      var kind = TemplateDisk.word(nic.kind());
      var mac = nic.mac().orElse(mac(guest, nics.size()));
      nics.add(Map.of("nic.type", kind, "nic." + kind, nic.source(), "nic.mac", mac));
    }
    return nics;
  }

  /**
   * The same guest always gets the same address. 52 marks it as locally administered; the other
   * five bytes are a hash, so that among 20,000 interfaces the odds of any two alike are below 1 in
   * 5,000. QEMU's usual 52:54:00 leaves three bytes, in which 20,000 would surely collide.
   */
  private static String mac(GuestParameters guest, int index) {
    try {
      var hash =
          MessageDigest.getInstance("SHA-256")
              .digest(
                  "%s %s %d"
                      .formatted(guest.name(), guest.uuid(), index)
                      .getBytes(StandardCharsets.UTF_8));
      return "52:" + HexFormat.ofDelimiter(":").formatHex(hash, 0, 5);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  private static Document resource(String file) {
    try (var in = GuestTemplate.class.getResourceAsStream(file)) {
      if (in == null || !file.endsWith(".xml") || file.contains("/")) {
        throw new IllegalArgumentException("template part '" + file + "' is unknown");
      }
      return Xml.document(
          "template part " + file, new String(in.readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new IllegalStateException("our own jar cannot be read: " + file, e);
    }
  }
}
