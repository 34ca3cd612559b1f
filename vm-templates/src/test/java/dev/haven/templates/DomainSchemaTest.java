package dev.haven.templates;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** libvirt's schema, held against domain XML that others wrote. */
class DomainSchemaTest {
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
  void nothingOutsideOfTheTextIsRead() throws IOException {
    var secret = Files.writeString(dir.resolve("secret"), "s3cret");
    for (var doctype :
        new String[] {
          "<!DOCTYPE domain [<!ENTITY x SYSTEM '" + secret.toUri() + "'>]>",
          "<!DOCTYPE domain SYSTEM '" + secret.toUri() + "'>",
          "<!DOCTYPE domain [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]>"
        }) {
      var xml = doctype + "<domain><name>&x;</name></domain>";
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
        .isInstanceOf(IllegalArgumentException.class)
        .message()
        .contains(parts);
  }
}
