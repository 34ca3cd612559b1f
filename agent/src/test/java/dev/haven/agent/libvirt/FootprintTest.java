package dev.haven.agent.libvirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class FootprintTest {

  /** Every domain that is looked up must be freed: 400,000 that were not took 180 MiB. */
  @Test
  void fiftyThousandLookUpsLeaveNothingBehind() throws Exception {
    assumeTrue(Files.exists(Path.of("/usr/lib/x86_64-linux-gnu/libvirt.so.0")), "no libvirt here");
    var times = Integer.toString(Integer.getInteger("lookups", 50_000));
    var printed =
        PrivateHost.execute(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xss512k",
                "-Xmx32m",
                "-cp",
                System.getProperty("java.class.path"),
                Footprint.class.getName(),
                "20000",
                times));
    var kib =
        printed
            .lines()
            .filter(line -> line.matches("\\d+ \\d+"))
            .findFirst()
            .orElseThrow()
            .split(" ", -1);
    System.out.println(
        "measured: resident before and after "
            + times
            + " look-ups, KiB: "
            + String.join(" ", kib));
    assertThat(Long.parseLong(kib[1]) - Long.parseLong(kib[0])).as(printed).isLessThan(8 << 10);
  }
}
