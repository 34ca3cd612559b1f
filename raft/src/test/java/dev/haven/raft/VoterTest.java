package dev.haven.raft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.raft.port.ReplicatedLog.NotLeader;
import dev.haven.raft.port.ReplicatedLog.Refused;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VoterTest {
  private static final Duration SOON = Duration.ofSeconds(15);

  @TempDir private Path directory;

  @Test
  void oneVoterAloneLeadsAndKeepsWhatItAcknowledged() throws Exception {
    try (var cluster = new Cluster(directory, Optional.empty(), "a").startAll()) {
      cluster.say("one");
      cluster.say("two");
      cluster.stop("a");
      cluster.start("a");
      cluster.say("three");
      assertThat(cluster.said("a")).containsExactly("one", "two", "three");
    }
  }

  @Test
  void twoVotersAgree() throws Exception {
    try (var cluster = new Cluster(directory, Optional.empty(), "a", "b").startAll()) {
      cluster.say("one");
      Cluster.await(SOON, () -> cluster.said("a").equals(List.of("one")));
      Cluster.await(SOON, () -> cluster.said("b").equals(List.of("one")));
    }
  }

  @Test
  void aNewLeaderKnowsEverythingThatTheOldOneAcknowledged() throws Exception {
    try (var cluster = new Cluster(directory, Optional.empty(), "a", "b", "c").startAll()) {
      var said = new ArrayList<String>();
      for (int i = 0; i < 100; i++) {
        cluster.say("word " + i);
        said.add("word " + i);
      }
      var old = cluster.leader();
      cluster.isolate(old);
      Cluster.await(SOON, () -> !cluster.leadership(old).ready());
      cluster.say("after");
      said.add("after");
      cluster.cut.clear();
      for (var words : cluster.words.values()) {
        Cluster.await(SOON, () -> words.all().equals(said));
      }
    }
  }

  @Test
  void aProposalDecidedInAnEarlierTermIsRefused() throws Exception {
    try (var cluster = new Cluster(directory, Optional.empty(), "a").startAll()) {
      var leader = cluster.voter(cluster.leader());
      long term = leader.leadership().term();
      assertThatThrownBy(() -> leader.propose(new byte[1], term - 1).get())
          .isInstanceOf(ExecutionException.class)
          .hasCauseInstanceOf(NotLeader.class);
    }
  }

  @Test
  void aFollowerNamesTheLeader() throws Exception {
    try (var cluster = new Cluster(directory, Optional.empty(), "a", "b", "c").startAll()) {
      var leader = cluster.leader();
      var follower = leader.equals("a") ? "b" : "a";
      Cluster.await(SOON, () -> cluster.leadership(follower).leader().isPresent());
      assertThatThrownBy(() -> cluster.voter(follower).propose(new byte[1], 0).get())
          .hasCauseInstanceOf(NotLeader.class)
          .satisfies(
              e ->
                  assertThat(e)
                      .cause()
                      .isInstanceOfSatisfying(
                          NotLeader.class, cause -> assertThat(cause.leader()).contains(leader)));
    }
  }

  @Test
  void aVoterFarBehindGetsTheStateAndNotTheEntries() throws Exception {
    try (var cluster = new Cluster(directory, Optional.empty(), "a", "b", "c").startAll()) {
      var leader = cluster.leader();
      var slow = leader.equals("c") ? "b" : "c";
      cluster.stop(slow);
      var text = "x".repeat(1000);
      for (int i = 0; i < 3000; i++) {
        cluster.say(text + i);
      }
      assertThat(cluster.voter(leader).status().snapshotIndex()).isGreaterThan(2000);
      cluster.start(slow);
      Cluster.await(SOON, () -> cluster.said(slow).size() == 3000);
      assertThat(cluster.said(slow)).isEqualTo(cluster.said(leader));
      cluster.say("end");
      Cluster.await(SOON, () -> cluster.said(slow).size() == 3001);
    }
  }

  @Test
  void aWipedDiskHasNoVoteUntilItIsRemovedAndAddedAnew() throws Exception {
    try (var cluster = new Cluster(directory, Optional.empty(), "a", "b", "c").startAll()) {
      cluster.say("one");
      var leader = cluster.leader();
      var wiped = leader.equals("c") ? "b" : "c";
      cluster.stop(wiped);
      wipe(directory.resolve(wiped));
      cluster.start(wiped);
      Cluster.await(SOON, () -> cluster.said(wiped).size() == 1);
      var members = cluster.voter(leader).members();
      assertThat(members.voters().stream().filter(m -> !m.counts()).map(m -> m.name()))
          .containsExactly(wiped);
      var third =
          cluster.addresses.keySet().stream()
              .filter(n -> !n.equals(leader) && !n.equals(wiped))
              .findFirst()
              .orElseThrow();
      cluster.stop(third);
      // The leader and the wiped one are two of three, but only one of them counts.
      Cluster.await(SOON, () -> !cluster.leadership(leader).ready());
      cluster.start(third);
      var again = cluster.voter(cluster.leader());
      assertThatThrownBy(() -> again.addVoter(cluster.addressOf(wiped)).get(10, TimeUnit.SECONDS))
          .hasCauseInstanceOf(Refused.class)
          .hasMessageContaining("remove it first");
      again.removeVoter(wiped).get(10, TimeUnit.SECONDS);
      again.addVoter(cluster.addressOf(wiped)).get(10, TimeUnit.SECONDS);
      cluster.stop(third);
      cluster.say("two");
      Cluster.await(SOON, () -> cluster.said(wiped).equals(List.of("one", "two")));
    }
  }

  @Test
  void aVoterIsAddedAndRemoved() throws Exception {
    try (var cluster = new Cluster(directory, Optional.empty(), "a", "b", "c").startAll()) {
      cluster.say("one");
      var address = cluster.newAddress("d");
      cluster.start("d");
      cluster.voter(cluster.leader()).addVoter(address).get(10, TimeUnit.SECONDS);
      cluster.say("two");
      Cluster.await(SOON, () -> cluster.said("d").equals(List.of("one", "two")));
      var old = cluster.leader();
      cluster.voter(old).removeVoter(old).get(10, TimeUnit.SECONDS);
      Cluster.await(SOON, () -> !cluster.leadership(old).self());
      cluster.say("three");
      assertThat(cluster.leader()).isNotEqualTo(old);
    }
  }

  @Test
  void aWipedDiskStartsNoSecondCluster() throws Exception {
    try (var cluster = new Cluster(directory, Optional.empty(), "a", "b", "c").startAll()) {
      cluster.say("one");
      cluster.stop("a");
      wipe(directory.resolve("a"));
      cluster.start("a");
      Cluster.await(SOON, () -> cluster.said("a").equals(List.of("one")));
      assertThat(cluster.leader()).isNotEqualTo("a");
    }
  }

  @Test
  void datagramsReachTheOthersAndNameTheirSender() throws Exception {
    try (var cluster = new Cluster(directory, Optional.empty(), "a", "b").startAll()) {
      cluster.leader();
      var heard = new LinkedBlockingQueue<String>();
      cluster
          .voter("b")
          .bus()
          .onMessage((from, bytes) -> heard.add(from + new String(bytes, StandardCharsets.UTF_8)));
      Cluster.await(
          SOON,
          () -> {
            cluster.voter("a").bus().broadcast("!".getBytes(StandardCharsets.UTF_8));
            return "a!".equals(heard.poll());
          });
    }
  }

  private static void wipe(Path directory) throws Exception {
    try (var files = Files.list(directory)) {
      for (var file : files.toList()) {
        Files.delete(file);
      }
    }
  }
}
