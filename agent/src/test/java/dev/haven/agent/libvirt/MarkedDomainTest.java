package dev.haven.agent.libvirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.haven.agent.libvirt.MarkedDomain.Link;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

class MarkedDomainTest {
  /** A host that was never ordered to run a guest. */
  private static final Predicate<String> NOBODY = _ -> false;

  private static final String PLAIN =
      "<domain type='kvm'><name>web</name><uuid>u-1</uuid></domain>";

  @Test
  void theMarkIsPutIntoTheMetadataAndReplacesAnOlderOne() {
    var once = MarkedDomain.parse(PLAIN).marked(5, true, "");
    assertThat(once)
        .isEqualTo(
            "<domain type=\"kvm\"><name>web</name><metadata><haven:guest"
                + " xmlns:haven=\"https://haven.dev/xmlns/guest/1\" epoch=\"5\" name=\"web\""
                + " uuid=\"u-1\""
                + " autostart=\"yes\"></haven:guest></metadata><uuid>u-1</uuid></domain>");
    var twice = MarkedDomain.parse(once).marked(6, false, "");
    assertThat(twice)
        .containsOnlyOnce("haven:guest xmlns")
        .contains("epoch=\"6\"")
        .doesNotContain("autostart");
  }

  @Test
  void aMarkThatWasCopiedToAnotherDomainIsNone() {
    var mark = MarkedDomain.element(5, true, "a&b\"", "u-1");
    assertThat(mark).startsWith("<guest epoch=\"5\" ");
    assertThat(MarkedDomain.mark(mark, "a&b\"", "u-1", NOBODY))
        .contains(new MarkedDomain.Mark(5, true));
    assertThat(MarkedDomain.mark(mark, "a&b\"", "u-2", NOBODY))
        .as("a clone of its name elsewhere")
        .isEmpty();
    assertThat(MarkedDomain.mark(mark, "web", "u-1", NOBODY)).as("a clone beside it").isEmpty();
    assertThat(MarkedDomain.mark("<guest epoch='5' name='web'/>", "web", "u-1", NOBODY))
        .as("the definition had no UUID then")
        .contains(new MarkedDomain.Mark(5, false));
    assertThat(MarkedDomain.mark("<guest", "web", "u-1", NOBODY)).isEmpty();
  }

  @Test
  void aMarkFromBeforeMarksHadNamesCountsForAGuestOfThisHostAndGetsOneAtTheNextWrite() {
    var old = "<guest epoch='5' autostart='yes'/>";
    assertThat(MarkedDomain.mark(old, "web", "u-1", "web"::equals))
        .contains(new MarkedDomain.Mark(5, true));
    assertThat(MarkedDomain.mark(old, "web-clone", "u-2", "web"::equals)).as("a clone").isEmpty();
    assertThat(MarkedDomain.mark("<guest epoch='5' uuid='u-2'/>", "web", "u-1", "web"::equals))
        .as("its UUID says that it is another's")
        .isEmpty();
    var definition =
        "<domain type='qemu'><name>web</name><uuid>u-1</uuid><metadata><haven:guest xmlns:haven='%s' epoch='5'/></metadata></domain>"
            .formatted(MarkedDomain.NAMESPACE);
    assertThat(MarkedDomain.parse(definition).marked(6, false, ""))
        .contains("epoch=\"6\" name=\"web\" uuid=\"u-1\"")
        .doesNotContain("epoch=\"5\"")
        .doesNotContain("epoch='5'");
  }

  @Test
  void othersMetadataAndEveryOddityOfTheTextSurvive() {
    var xml =
        "<domain type='qemu'"
            + " xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><name>a&amp;b</name><metadata><o:tool"
            + " xmlns:o='urn:o'><o:guest epoch='9'/>&lt;x&gt;</o:tool></metadata><!-- kept"
            + " --><title>Größe “5”</title><q:commandline><q:arg"
            + " value='-S&quot;'/></q:commandline></domain>";
    var marked = MarkedDomain.parse(xml).marked(1, false, "u-2");
    assertThat(marked)
        .contains(
            "<o:guest epoch=\"9\">",
            "&lt;x&gt;",
            "<!-- kept -->",
            "Größe “5”",
            "-S&quot;",
            "a&amp;b",
            "<uuid>u-2</uuid>")
        .contains("xmlns:q=\"http://libvirt.org/schemas/domain/qemu/1.0\"", "epoch=\"1\"");
    assertThat(MarkedDomain.parse(marked).name()).isEqualTo("a&b");
  }

  @Test
  void needsAreReadFromTheirPlacesOnly() {
    var xml =
        MarkedDomain.parse(
            """
            <domain type='kvm'><name>web</name>
              <os><type arch='x86_64' machine='q35'>hvm</type></os>
              <cpu mode='custom'><model>EPYC</model><feature name='aes'/></cpu>
              <devices><emulator>/usr/bin/qemu</emulator>
                <disk><source dev='/dev/sda' name='no'/></disk>
                <interface type='bridge'><source bridge='br0'/></interface>
                <interface type='network'><source network='lan' bridge='virbr0'/></interface>
                <interface type='direct'><source dev='eth1' mode='vepa'/></interface>
              </devices></domain>
            """);
    assertThat(xml.links())
        .containsExactly(
            new Link(Link.Kind.BRIDGE, "br0"),
            new Link(Link.Kind.NETWORK, "lan"),
            new Link(Link.Kind.DEVICE, "eth1"));
    assertThat(xml.comparableCpu().orElseThrow())
        .startsWith("<cpu")
        .endsWith("</cpu>")
        .contains("EPYC", "aes");
    assertThat(xml.machine()).contains("q35");
    assertThat(xml.emulator()).contains("/usr/bin/qemu");
    assertThat(
            MarkedDomain.parse(PLAIN.replace("</uuid>", "</uuid><cpu mode='host-model'/>"))
                .comparableCpu())
        .isEmpty();
  }

  @Test
  void whatIsNoDomainIsRefusedWithItsPlace() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> MarkedDomain.parse("<domain"))
        .withMessageContaining("domain XML, line 1, column ");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> MarkedDomain.parse("<network/>"))
        .withMessageContaining("<name>");
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                MarkedDomain.parse(
                    "<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain"
                        + " type='kvm'><name>&x;</name></domain>"));
  }
}
