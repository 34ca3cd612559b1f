package dev.haven.templates;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What people type. */
class ParametersTest {
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "web.qcow2 | disk 'web.qcow2': give the absolute path",
        "/d,format=vmdk | disk '/d,format=vmdk': format 'vmdk' is unknown; use one of raw, qcow2",
        "/d,bus=scssi | bus 'scssi' is unknown; use one of virtio, scsi, sata, ide, xen",
        "/d,cache=none | cache is unknown; known are format, bus, device",
        "/d,raw | 'raw' is not of the form name=value",
        "/d,bus=sata,bus=scsi | bus is given twice",
        ",bus=sata | the path is missing"
      })
  void wrongDisksAreNamed(String text, String why) {
    assertThatThrownBy(() -> TemplateDisk.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(why);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "br0 | network 'br0': give either bridge=NAME or network=NAME",
        "bridge=br0,network=default | give either bridge=NAME or network=NAME",
        "bridge= | name the bridge or libvirt network",
        "bridge=br0,mac=52:54:00:12:34 | network br0: mac '52:54:00:12:34' is not like",
        "bridge=br0,mac=53:54:00:12:34:56 | is a multicast address; its first byte must be even",
        "bridge=br0,vlan=3 | vlan is unknown; known are bridge, network, mac"
      })
  void wrongNetworksAreNamed(String text, String why) {
    assertThatThrownBy(() -> Nic.parse(text))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(why);
  }

  @Test
  void impossibleGuestsAreRefused() {
    refused("../web", "1GiB", 1, "guest name '../web': use 1 to 63 letters");
    refused(
        "web",
        "0MiB",
        1,
        "guest web: memory 0B is not a whole number of MiB between 1MiB and 64TiB");
    refused("web", "1025KiB", 1, "memory 1025KiB is not a whole number of MiB");
    refused("web", "65TiB", 1, "memory 65TiB");
    refused("web", "1GiB", 0, "guest web: 0 vCPUs are not between 1 and 255");
    refused("web", "1GiB", 256, "256 vCPUs");
    assertThatThrownBy(
            () ->
                GuestParameters.builder("web", Size.ofMib(1), 1)
                    .disk(TemplateDisk.parse("/d"))
                    .disk(TemplateDisk.parse("/d"))
                    .build())
        .hasMessage("guest web: disk /d is given twice");
  }

  private static void refused(String name, String memory, int vcpus, String why) {
    assertThatThrownBy(() -> GuestParameters.builder(name, Size.parse(memory), vcpus).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(why);
  }
}
