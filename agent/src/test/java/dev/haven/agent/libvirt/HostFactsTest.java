package dev.haven.agent.libvirt;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class HostFactsTest {
  private static final String CAPABILITIES =
      """
      <capabilities>
        <guest><os_type>hvm</os_type><arch name='i686'><wordsize>32</wordsize>
          <machine maxCpus='255'>pc-i440fx-1.0</machine></arch></guest>
        <guest><os_type>hvm</os_type><arch name='x86_64'><wordsize>64</wordsize>
          <machine maxCpus='255'>pc-i440fx-7.2</machine>
          <machine canonical='pc-i440fx-7.2' maxCpus='255'>pc</machine>
          <machine maxCpus='288'>pc-q35-7.2</machine>
          <machine canonical='pc-q35-7.2' maxCpus='288'>q35</machine>
          <machine maxCpus='288' deprecated='yes'>pc-q35-2.4</machine>
          <domain type='qemu'/></arch></guest>
      </capabilities>
      """;

  @Test
  void whatAHostOffersAreVersionedMachinesOfItsOwnArchitecture() {
    assertThat(HostFacts.machines(CAPABILITIES, "x86_64"))
        .containsExactly("pc-i440fx-7.2", "pc-q35-2.4", "pc-q35-7.2");
    assertThat(HostFacts.machines(CAPABILITIES, "aarch64")).isEmpty();
  }
}
