package dev.haven.fencing;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class DeviceIdentityTest {
  private static final String B = "00112233-4455-6677-8899-aabbccddeeff";

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = ';',
      value = {
        "the same, as it is written      ; 4c4c4544-0042-3510-8054-b7c04f4e3132 ;"
            + " 4c4c4544004235108054b7c04f4e3132 ; Same",
        "in the order of SMBIOS          ; 4c4c4544-0042-3510-8054-b7c04f4e3132 ;"
            + " 44454c4c420010358054b7c04f4e3132 ; Same",
        "least significant byte first    ; 4c4c4544-0042-3510-8054-b7c04f4e3132 ;"
            + " 32314e4fc0b7548010354200 44454c4c ; Same",
        "both                            ; 4c4c4544-0042-3510-8054-b7c04f4e3132 ;"
            + " 32314e4fc0b75480351000424c4c4544 ; Same",
        "in capitals, with blanks        ; 4C4C4544-0042-3510-8054-B7C04F4E3132 ; 4c 4c 45 44 00 42"
            + " 35 10 80 54 b7 c0 4f 4e 31 32 ; Same",
        "one digit differs               ; 4c4c4544-0042-3510-8054-b7c04f4e3132 ;"
            + " 4c4c4544004235108054b7c04f4e3133 ; Different",
        "it is host b's                  ; 4c4c4544-0042-3510-8054-b7c04f4e3132 ;"
            + " 33221100554477668899aabbccddeeff ; Different host b",
        "the device gives none           ; 4c4c4544-0042-3510-8054-b7c04f4e3132 ;                  "
            + "                ; Unknown",
        "the host's is not known         ;                                      ;"
            + " 4c4c4544004235108054b7c04f4e3132 ; Unknown",
        "the device's is zero            ; 4c4c4544-0042-3510-8054-b7c04f4e3132 ;"
            + " 00000000000000000000000000000000 ; Unknown",
        "the device's is all ones        ; 4c4c4544-0042-3510-8054-b7c04f4e3132 ;"
            + " ffffffffffffffffffffffffffffffff ; Unknown",
        "the host's is zero              ; 00000000-0000-0000-0000-000000000000 ;"
            + " 4c4c4544004235108054b7c04f4e3132 ; Unknown",
        "both are zero                   ; 00000000-0000-0000-0000-000000000000 ;"
            + " 00000000000000000000000000000000 ; Unknown",
        "a board's factory pattern       ; 03000200-0400-0500-0006-000700080009 ;"
            + " 03000200040005000006000700080009 ; Unknown",
        "the host shares it with host b  ; 00112233-4455-6677-8899-aabbccddeeff ;"
            + " 00112233445566778899aabbccddeeff ; Unknown",
        "unreadable                      ; 4c4c4544-0042-3510-8054-b7c04f4e3132 ; 4c4c4544         "
            + "                ; Unknown",
      })
  void aDeviceIsTheHostsOwnOnlyWhenAMeaningfulIdProvesIt(
      String reason, @Nullable String host, @Nullable String device, String expected) {
    var target = new FencingTarget("a", Optional.ofNullable(host), Map.of("b", B));
    var identity = DeviceIdentity.compare("bmc-a", target, Optional.ofNullable(device));
    assertThat(identity.getClass().getSimpleName()).as(reason).isEqualTo(expected.split(" ")[0]);
    if (expected.endsWith("host b")) {
      assertThat(identity.toString()).contains("controls host b, not host a");
    }
  }
}
