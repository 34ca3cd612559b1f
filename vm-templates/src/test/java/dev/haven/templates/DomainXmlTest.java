package dev.haven.templates;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Domain XML that others wrote. */
class DomainXmlTest {
  private static final DomainSchema SCHEMA =
      DomainSchema.installed()
          .orElseThrow(() -> new AssertionError("install the package libvirt0"));
  private static final String WEB =
      """
      <domain type='kvm'>
        <name>web</name>
        <uuid>6e2a8f589a0c4d3b8c743f1d8a3e9b10</uuid>
        <metadata><x:y xmlns:x='urn:x'><name>other</name></x:y></metadata>
        <memory unit='%s'>%s</memory>
        <currentMemory unit='KiB'>1024</currentMemory>
        <vcpu current='1'>4</vcpu>
        <os><type>hvm</type></os>
        <devices>
          <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
          <disk type='block'><source dev='/dev/vg/web'/><target dev='vda' bus='virtio'/></disk>
          <disk type='network'><source protocol='rbd' name='pool/web'/><target dev='vdb' bus='virtio'/></disk>
          <disk type='file'><source file='/base'/><target dev='vdc' bus='virtio'/><readonly/></disk>
          <interface type='bridge'><source bridge='br0'/></interface>
          <interface type='network'><source network='default' bridge='virbr0'/></interface>
        </devices>
      </domain>
      """;

  @TempDir Path dir = Path.of("");

  @Test
  void placementsQuestionsAreAnswered() {
    var web = DomainXml.parse(WEB.formatted("GiB", "2"));
    assertThat(web.name()).isEqualTo("web");
    assertThat(web.uuid().orElseThrow()).hasToString("6e2a8f58-9a0c-4d3b-8c74-3f1d8a3e9b10");
    assertThat(web.memoryMib()).isEqualTo(2048);
    assertThat(web.vcpus()).isEqualTo(4);
    assertThat(web.disks())
        .containsExactly(
            new DomainXml.DiskSource("sda", "file", Optional.empty(), false),
            new DomainXml.DiskSource("vda", "block", Optional.of("/dev/vg/web"), true),
            new DomainXml.DiskSource("vdb", "network", Optional.empty(), true),
            new DomainXml.DiskSource("vdc", "file", Optional.of("/base"), false));
    assertThat(web.bridges()).containsExactly("br0", "virbr0");
    assertThat(web.networks()).containsExactly("default");
  }

  @ParameterizedTest
  @CsvSource({
    "KiB,1,1",
    "k,1,1",
    "b,1,1",
    "bytes,1025,2",
    "KB,1024,1000",
    "MiB,1,1024",
    "M,1,1024",
    "MB,1,977",
    "GiB,1,1048576",
    "G,3,3145728",
    "TiB,1,1073741824"
  })
  void everyUnitOfLibvirtIsKnown(String unit, String number, long kib) {
    assertThat(DomainXml.parse(WEB.formatted(unit, number)).memoryKib()).isEqualTo(kib);
  }

  @Test
  void whatIsMissingOrWrongIsNamed() {
    says(
        WEB.formatted("MiB", "2GB"),
        "guest web: <memory> '2GB' is not a whole number; write it like <memory unit='MiB'>");
    says(WEB.formatted("XB", "2"), "guest web: <memory> has the unknown unit 'XB'; use MiB");
    says(WEB.formatted("TiB", "999999999999999999"), "out of range");
    says(WEB.formatted("MiB", "0"), "out of range");
    says(WEB.formatted("MiB", "1").replace("<name>web</name>", ""), "has no <name>");
    says(WEB.formatted("MiB", "1").replace(">4<", ">zero<"), "<vcpu> 'zero' is not a number");
    says(
        WEB.formatted("MiB", "1").replace("6e2a", "6e2x"),
        "<uuid> '6e2x8f589a0c4d3b8c743f1d8a3e9b10' is not a UUID");
    says("<network><name>n</name></network>", "begins with <network>");
    says("", "domain XML: line ");
    says("<domain><name>x</domain>", "line 1, column ");
  }

  @Test
  void nothingOutsideOfTheTextIsRead() throws IOException {
    var secret = Files.writeString(dir.resolve("secret"), "s3cret");
    for (var doctype :
        new String[] {
          "<!DOCTYPE domain [<!ENTITY x SYSTEM '" + secret.toUri() + "'>]>",
          "<!DOCTYPE domain SYSTEM '" + secret.toUri() + "'>",
          "<!DOCTYPE domain [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]>"
        }) {
      var xml = doctype + "<domain><name>&x;</name></domain>";
      says(xml, "a DOCTYPE is not allowed in domain XML");
      assertThatThrownBy(() -> SCHEMA.check("web", xml))
          .hasMessageContaining("a DOCTYPE is not allowed");
    }
  }

  @Test
  void schemaNamesTheWrongFieldItsValueAndTheLine() {
    var good = WEB.formatted("MiB", "2048");
    SCHEMA.check("web", good);
    refuses(
        good.replace(">2048<", ">2GB<"),
        "guest web: <memory> '2GB': ",
        "could count thousands or 1024s; use 2GiB",
        "line 5, /domain/memory]");
    refuses(good.replace(">2048<", ">2GiB<"), "; use <memory unit='MiB'>2048</memory>");
    refuses(
        good.replace("dev='vda' bus='virtio'", "dev='vda' bus='virtoi'"),
        "<target> bus 'virtoi': ",
        "\"virtio\"",
        "line 11, /domain/devices/disk[2]/target/@bus]");
    refuses(good.replace("type='kvm'", "type='kvm2'"), "<domain> type 'kvm2': ", "line 1");
    refuses(
        good.replace("<os>", "<cpus>4</cpus><os>"),
        "<cpus>: element \"cpus\" not allowed here",
        "/domain/cpus]");
    refuses(
        good.replace("<name>web</name>", ""),
        "<domain>: element \"domain\" incomplete",
        "\"name\"");
  }

  private static void refuses(String xml, String... parts) {
    assertThatThrownBy(() -> SCHEMA.check("web", xml))
        .isInstanceOf(TemplateException.class)
        .message()
        .contains(parts);
  }

  private static void says(String xml, String part) {
    assertThatThrownBy(() -> DomainXml.parse(xml))
        .isInstanceOf(TemplateException.class)
        .hasMessageContaining(part);
  }
}
