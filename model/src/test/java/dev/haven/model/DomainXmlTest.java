package dev.haven.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Descriptions of guests that others wrote. */
class DomainXmlTest {
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
        </devices>
      </domain>
      """;

  @TempDir Path dir = Path.of("");

  @Test
  void whatHavenMustAgreeWithIsRead() {
    var web = DomainXml.parse("web.xml", WEB.formatted("GiB", "2"));
    assertThat(web.name()).contains("web");
    assertThat(web.uuid()).contains("6e2a8f58-9a0c-4d3b-8c74-3f1d8a3e9b10");
    assertThat(web.memoryMib()).contains(2048L);
    assertThat(web.vcpus()).contains(4);
    assertThat(web.diskTargets()).containsExactly("sda", "vda");
  }

  @Test
  void whatIsChangedIsReadAgainAndTheRestStays() {
    var web = DomainXml.parse("web.xml", WEB.formatted("GiB", "2"));
    web.setName("db");
    web.setUuid("00000000-0000-0000-0000-000000000001");
    web.setMemoryMib(512);
    web.setVcpus(2);
    assertThat(web.text())
        .contains("<name>db</name>", "<name>other</name>")
        .contains("<memory unit=\"MiB\">512</memory>")
        .contains("<currentMemory unit=\"MiB\">512</currentMemory>")
        .contains("<vcpu>2</vcpu>");
    var again = DomainXml.parse("again", web.text());
    assertThat(again.uuid()).contains("00000000-0000-0000-0000-000000000001");
    assertThat(again.memoryMib()).contains(512L);
  }

  @ParameterizedTest
  @CsvSource({
    "KiB,1,1",
    "k,1,1",
    "'',1024,1",
    "b,1,1",
    "bytes,1048577,2",
    "KB,1049,2",
    "MiB,1,1",
    "M,1,1",
    "MB,1000,954",
    "GB,1,954",
    "GiB,1,1024",
    "G,3,3072",
    "TB,1,953675",
    "TiB,1,1048576"
  })
  void everyUnitOfLibvirtIsKnown(String unit, String number, long mib) {
    assertThat(DomainXml.parse("web.xml", WEB.formatted(unit, number)).memoryMib()).contains(mib);
  }

  @Test
  void whatIsWrongIsNamedWithItsPlaceAndTheWayOut() {
    says(
        WEB.formatted("MiB", "2GB"),
        "web.xml: <memory> '2GB' is not a whole number; write it like <memory unit='MiB'>");
    says(WEB.formatted("XB", "2"), "web.xml: <memory> has the unknown unit 'XB'; use MiB");
    says(WEB.formatted("TiB", "999999999999999999"), "out of range");
    says(WEB.formatted("MiB", "0"), "out of range");
    says(WEB.formatted("MiB", "1").replace(">4<", ">zero<"), "<vcpu> 'zero' is not a number");
    says(
        WEB.formatted("MiB", "1").replace("6e2a", "6e2x"),
        "<uuid> '6e2x8f589a0c4d3b8c743f1d8a3e9b10' is not a UUID; leave it out for a new one");
    says("<network><name>n</name></network>", "web.xml: begins with <network>");
    says("", "web.xml, line ");
    says("<domain><name>x</domain>", "web.xml, line 1, column ");
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
      says(xml, "a DOCTYPE is not allowed here; remove it");
      assertThat(Definition.ofAny(xml).name()).as("step by step").isEmpty();
      try {
        assertThat(Xml.documentWithDoctype("agent", xml).getDocumentElement().getTextContent())
            .as("what a program prints")
            .doesNotContain("s3cret");
      } catch (IllegalArgumentException e) {
        assertThat(e).hasMessageStartingWith("agent, line ").hasMessageNotContainingAny("s3cret");
      }
    }
  }

  private static void says(String xml, String part) {
    assertThatThrownBy(
            () -> {
              var domain = DomainXml.parse("web.xml", xml);
              domain.uuid();
              domain.memoryMib();
              domain.vcpus();
            })
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(part);
  }
}
