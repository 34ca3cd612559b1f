package dev.haven.templates;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.Definition;
import dev.haven.model.DomainXml;
import dev.haven.model.Size;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every template against libvirt's own schema. */
class GuestTemplateTest {
  private static final DomainSchema SCHEMA =
      DomainSchema.installed()
          .orElseThrow(() -> new AssertionError("install the package libvirt0"));
  private static final UUID ID = UUID.fromString("6e2a8f58-9a0c-4d3b-8c74-3f1d8a3e9b10");
  private static final DirectKernel KERNEL =
      new DirectKernel(
          "/boot/vmlinuz", Optional.of("/boot/initrd.img"), "console=ttyS0 a=\"b\" <&>'");

  @TempDir Path dir = Path.of("");

  static Stream<GuestTemplate> templates() {
    return GuestTemplate.builtIn().stream();
  }

  private static boolean isXen(GuestTemplate template) {
    return template.name().startsWith("xen-");
  }

  private static GuestParameters.Builder web() {
    return GuestParameters.builder("web", Size.parse("2GiB"), 2).uuid(ID);
  }

  @ParameterizedTest
  @MethodSource("templates")
  void typicalGuestIsValid(GuestTemplate template) {
    var builder =
        web()
            .disk(TemplateDisk.parse("/srv/guests/web.qcow2"))
            .disk(TemplateDisk.parse("/dev/vg0/data"))
            .network(Nic.parse("bridge=br0"))
            .network(Nic.parse("network=default"));
    if (template.name().equals("xen-pvh")) {
      builder.kernel(KERNEL);
    }
    var xml = template.render(builder.build(), SCHEMA);
    var read = DomainXml.parse("web", xml);
    assertThat(read.name()).contains("web");
    assertThat(read.uuid()).contains(ID.toString());
    assertThat(read.memoryMib()).contains(2048L);
    assertThat(read.vcpus()).contains(2);
    var disks =
        Definition.read(xml).disks().stream()
            .filter(disk -> !disk.path().orElse("").endsWith("_VARS.fd")) // of its firmware
            .toList();
    assertThat(disks)
        .extracting(disk -> disk.path().orElse(""))
        .containsExactly("/srv/guests/web.qcow2", "/dev/vg0/data");
    assertThat(disks).allMatch(disk -> disk.use().writable());
    assertThat(xml)
        .contains("bridge=\"br0\"")
        .contains("network=\"default\"")
        .contains("<on_crash>destroy</on_crash>")
        .contains("<on_poweroff>destroy</on_poweroff>");
    // Some tools of the neighbourhood look for the name with a line-based expression.
    assertThat(xml.lines().map(String::strip)).contains("<name>web</name>");
    if (!isXen(template)) {
      assertThat(xml).contains("error_policy=\"stop\"", "cache=\"none\"", "io=\"native\"");
    }
  }

  @ParameterizedTest
  @MethodSource("templates")
  void smallestGuestIsValid(GuestTemplate template) {
    var builder = GuestParameters.builder("a", Size.ofMib(1), 1);
    if (template.name().equals("xen-pvh")) {
      builder.kernel(new DirectKernel("/k", Optional.empty(), ""));
    } else {
      builder.disk(TemplateDisk.of("/d", TemplateDisk.Format.RAW));
    }
    template.render(builder.build(), SCHEMA);
  }

  @ParameterizedTest
  @MethodSource("templates")
  void everythingAtItsLimitIsValid(GuestTemplate template) {
    var builder =
        GuestParameters.builder("g" + "-".repeat(61) + "9", Size.parse("64TiB"), 255).vnc(true);
    for (int i = 0; i < 60; i++) {
      builder.disk(TemplateDisk.of("/srv/ä b/&<'\"${name}/" + i, TemplateDisk.Format.QCOW2));
      builder.network(new Nic(Nic.Kind.BRIDGE, "br" + i, Optional.empty()));
    }
    if (!template.name().equals("kvm-windows")) {
      builder.kernel(KERNEL);
    }
    if (!isXen(template)) {
      builder
          .disk(TemplateDisk.parse("/srv/more,bus=scsi,format=raw"))
          .disk(TemplateDisk.parse("/srv/virtio-win.iso"))
          .cpuModel("Nehalem")
          .watchdog(GuestParameters.WatchdogAction.RESET)
          .consoleLog("/var/log/haven/<guest>.log")
          .tpm(true)
          .nvram("/srv/nvram/g_VARS.fd");
    }
    var xml = template.render(builder.build(), SCHEMA);
    var read = DomainXml.parse("big", xml);
    assertThat(read.memoryMib()).contains(64L << 20);
    assertThat(Definition.read(xml).disks())
        .extracting(disk -> disk.path().orElse(""))
        .contains("/srv/ä b/&<'\"${name}/59");
    assertThat(read.diskTargets()).hasSizeGreaterThanOrEqualTo(60).doesNotHaveDuplicates();
    assertThat(read.diskTargets().get(27)).endsWith("dab");
  }

  @Test
  void valuesCannotBecomeMarkup() {
    var cmdline = "</cmdline><kernel>/evil</kernel>${uuid}";
    var xml =
        GuestTemplate.named("qemu-linux")
            .render(
                web().kernel(new DirectKernel("/k", Optional.empty(), cmdline)).build(), SCHEMA);
    assertThat(xml).doesNotContain("<kernel>/evil").contains("${uuid}");
    var nul = web().kernel(new DirectKernel("/k", Optional.empty(), "a\u0000b")).build();
    assertThatThrownBy(() -> GuestTemplate.named("qemu-linux").render(nul))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(
            "guest web: template qemu-linux: cmdline has a character that XML cannot hold");
  }

  @Test
  void consoleGoesToTheLogAndIsAppendedTo() {
    var xml =
        GuestTemplate.named("qemu-linux")
            .render(web().kernel(KERNEL).consoleLog("/srv/web.log").build(), SCHEMA);
    assertThat(xml).contains("<log append=\"on\" file=\"/srv/web.log\"/>");
    assertThat(xml).doesNotContain("<graphics").doesNotContain("<boot ");
  }

  @Test
  void sameGuestKeepsItsMacAndOthersGetTheirOwn() {
    var macs = new HashSet<String>();
    for (int i = 0; i < 300; i++) {
      var guest =
          GuestParameters.builder("g" + i, Size.ofMib(1), 1)
              .disk(TemplateDisk.parse("/d"))
              .network(Nic.parse("bridge=b"))
              .build();
      var xml = GuestTemplate.named("qemu-linux").render(guest);
      assertThat(GuestTemplate.named("qemu-linux").render(guest)).isEqualTo(xml);
      var mac = xml.replaceAll("(?s).*<mac address=\"([^\"]*)\".*", "$1");
      assertThat(mac).matches("52(:[0-9a-f]{2}){5}");
      macs.add(mac);
    }
    assertThat(macs).hasSize(300);
  }

  @Test
  void cpuIsWhatWasAsked() {
    assertThat(kvm("")).contains("<cpu check=\"partial\" mode=\"host-model\"/>");
    assertThat(kvm("host-passthrough")).contains("migratable=\"on\"");
    assertThat(kvm("Nehalem")).contains("<model fallback=\"forbid\">Nehalem</model>");
    assertThat(
            GuestTemplate.named("qemu-linux").render(web().disk(TemplateDisk.parse("/d")).build()))
        .doesNotContain("<cpu");
  }

  private static String kvm(String model) {
    var builder = web().disk(TemplateDisk.parse("/d"));
    return GuestTemplate.named("kvm-linux")
        .render((model.isEmpty() ? builder : builder.cpuModel(model)).build(), SCHEMA);
  }

  @Test
  void uefiVariablesLieBesideTheDisk() {
    var xml =
        GuestTemplate.named("kvm-windows")
            .render(web().disk(TemplateDisk.parse("/srv/w/w.qcow2")).build(), SCHEMA);
    assertThat(xml).contains("<nvram>/srv/w/web_VARS.fd</nvram>");
  }

  @Test
  void whatATemplateCannotDoIsRefused() {
    refused(
        "xen-pvh",
        web().disk(TemplateDisk.parse("/d")),
        "guest web: template xen-pvh needs a kernel");
    refused("xen-pv", web().disk(TemplateDisk.parse("/d")).tpm(true), "has no TPM; leave it out");
    refused(
        "xen-pv",
        web().disk(TemplateDisk.parse("/d,bus=virtio")),
        "has no bus 'virtio' for disk /d; use xen or ide");
    refused(
        "kvm-linux", web().disk(TemplateDisk.parse("/d,bus=ide")), "use virtio or scsi or sata");
    refused(
        "kvm-windows",
        web().kernel(KERNEL).disk(TemplateDisk.parse("/d")),
        "boots by UEFI from its disk");
    refused("kvm-linux", web(), "has nothing to boot from; give a disk or a kernel");
    assertThatThrownBy(() -> GuestTemplate.named("kvm"))
        .hasMessage(
            "template 'kvm' is unknown; there are kvm-linux, qemu-linux, kvm-windows, xen-pv,"
                + " xen-pvh, xen-hvm, or give the path of a file of your own");
  }

  private static void refused(String template, GuestParameters.Builder guest, String why) {
    assertThatThrownBy(() -> GuestTemplate.named(template).render(guest.build(), SCHEMA))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(why);
  }

  @Test
  void wrongFieldOfATemplateIsNamedByItsParameter() {
    var guest =
        web()
            .disk(TemplateDisk.parse("/a"))
            .disk(TemplateDisk.parse("/b"))
            .cpuModel("no such\tmodel")
            .network(new Nic(Nic.Kind.BRIDGE, "b/r", Optional.empty()));
    assertThatThrownBy(() -> GuestTemplate.named("kvm-linux").render(guest.build(), SCHEMA))
        .hasMessageContaining("cpu.named has a character");
  }

  @Test
  void ownTemplateIsFilledAndItsFaultsAreNamed() throws IOException {
    var good =
        """
        <domain type='kvm' xmlns:h='urn:dev.haven:template'>
          <name>${name}</name><memory unit='MiB'>${memoryMib}</memory>
          <os><type>hvm</type></os>
          <devices>
            <disk h:each='disk' type='file'><driver name='qemu' type='${disk.format}'/>
              <source file='${disk.file}'/><target dev='${disk.target}' bus='%s'/></disk>
          </devices>
        </domain>
        """;
    var guest = web().disk(TemplateDisk.parse("/a")).disk(TemplateDisk.parse("/b")).build();
    assertThat(
            DomainXml.parse("web", load(good.formatted("virtio")).render(guest, SCHEMA))
                .diskTargets())
        .hasSize(2);
    says(
        good.formatted("floppy"),
        guest,
        "<target> bus 'floppy'",
        "libvirt's schema, line ",
        "/domain/devices/disk/target/@bus");
    says(good.formatted("${disk.format}"), guest, "disk 1, format 'raw'", "and 1 more");
    says(
        good.formatted("${disk.colour}"),
        guest,
        "${disk.colour} has no value here; there are [bootFromDisk",
        "disk.format");
    says(
        good.replace("'disk'", "'dsk'"),
        guest,
        "h:each=\"dsk\" names no list; known are [disk, nic]");
    says(
        good.replace("<os>", "<h:loop/><os>"),
        guest,
        "<h:loop> is unknown; there is only <h:include>");
    says(
        good.replace("<os>", "<h:include file='../x.xml'/><os>"),
        guest,
        "template part '../x.xml' is unknown");
    says(good.replace("</os>", ""), guest, "line ", "must be terminated by the matching end-tag");
    assertThatThrownBy(() -> GuestTemplate.load(dir.resolve("none.xml")))
        .hasMessageContaining("none.xml: there is no such file");
  }

  private void says(String template, GuestParameters guest, String... parts) {
    assertThatThrownBy(() -> load(template).render(guest, SCHEMA))
        .isInstanceOf(IllegalArgumentException.class)
        .message()
        .contains(parts);
  }

  private GuestTemplate load(String template) throws IOException {
    return GuestTemplate.load(Files.writeString(dir.resolve("own.xml"), template));
  }
}
