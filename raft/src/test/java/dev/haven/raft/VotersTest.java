package dev.haven.raft;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.raft.port.ReplicatedLog.VoterAddress;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class VotersTest {
  private static final UUID LOG = new UUID(1, 2);

  @Test
  void whereAVoterIsReachedStandsInTheLog() throws Exception {
    var voters =
        Voters.first(
            List.of(
                new Voters.Voter(
                    new VoterAddress(
                        "a",
                        "10.0.0.1:7702",
                        Optional.of("10.0.0.1:7700"),
                        Map.of("control", "10.0.0.1", "storage", "10.1.0.1")),
                    LOG),
                new Voters.Voter(new VoterAddress("b", "10.0.0.2:7702"), LOG)));
    assertThat(Voters.of(voters.bytes())).isEqualTo(voters);
  }

  @Test
  void anEntryOfTheFirstFormatIsRead() throws Exception {
    var bytes = new ByteArrayOutputStream();
    var out = new DataOutputStream(bytes);
    out.writeByte(1);
    out.writeInt(1);
    out.writeUTF("a");
    out.writeUTF("10.0.0.1:7702");
    out.writeLong(1);
    out.writeLong(2);
    assertThat(Voters.of(bytes.toByteArray()).all())
        .containsExactly(new Voters.Voter(new VoterAddress("a", "10.0.0.1:7702"), LOG));
  }

  @Test
  void aVoterThatKnowsOnlyTheFirstFormatFindsItsFieldsWhereTheyWere() {
    var address = new VoterAddress("a", "r:1", Optional.of("api:2"), Map.of("control", "10.0.0.1"));
    var old = new ByteArrayOutputStream();
    var voter = Voters.first(List.of(new Voters.Voter(address, LOG))).bytes();
    old.writeBytes(new byte[] {0, 0, 0, 1, 0, 1, 'a', 0, 3, 'r', ':', '1'});
    old.writeBytes(new byte[] {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2});
    assertThat(voter).containsSequence(old.toByteArray()).startsWith((byte) 4, (byte) 0);
  }
}
