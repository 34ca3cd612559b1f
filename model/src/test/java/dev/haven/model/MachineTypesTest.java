package dev.haven.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MachineTypesTest {
  @ParameterizedTest(name = "{0} of hosts with {1}: {2}")
  @CsvSource({
    "q35, pc-q35-6.2 pc-q35-7.2, pc-q35-7.2",
    "q35, pc-q35-6.2 pc-q35-7.2 / pc-q35-6.2, pc-q35-6.2",
    "q35, pc-q35-9.2 pc-q35-10.0, pc-q35-10.0",
    "q35, pc-q35-2.10 pc-q35-2.9, pc-q35-2.10",
    "q35, pc-q35-4.0 pc-q35-4.0.1, pc-q35-4.0.1",
    "pc, pc-q35-7.2 pc-i440fx-7.2, pc-i440fx-7.2",
    "q35, pc-q35-jammy pc-q35-6.2, pc-q35-6.2",
    "q35, pc-q35-rhel8.6.0 pc-q35-rhel9.2.0, pc-q35-rhel9.2.0",
    "q35, pc-q35-7.2 / pc-q35-6.2, ''",
    "q35, pc-i440fx-7.2, ''",
    "pc-q35-6.2, pc-q35-7.2, ''"
  })
  void anAliasStandsForTheNewestThatAllHostsOffer(String alias, String hosts, String then) {
    var offered = Stream.of(hosts.split(" / ")).map(host -> List.of(host.split(" "))).toList();
    assertThat(MachineTypes.pinned(alias, offered))
        .isEqualTo(Optional.of(then).filter(t -> !t.isEmpty()));
  }

  @Test
  void nothingElseOfTheXmlIsTouched() {
    var xml = "<os>\n  <type arch=\"x86_64\"  machine = 'q35' >hvm</type></os><x machine='q35'/>";
    assertThat(MachineTypes.replaced(xml, "q35", "pc-q35-7.2"))
        .isEqualTo(
            "<os>\n"
                + "  <type arch=\"x86_64\"  machine = 'pc-q35-7.2' >hvm</type></os><x"
                + " machine='q35'/>");
  }
}
