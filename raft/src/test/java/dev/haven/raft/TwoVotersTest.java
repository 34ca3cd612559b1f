package dev.haven.raft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What one of two voters may do once the other's host is proven off, and what the other does. */
class TwoVotersTest {
  private static final Duration SOON = Duration.ofSeconds(20);

  @TempDir private Path directory;
  private Cluster cluster;

  @BeforeEach
  void two() throws Exception {
    cluster = new Cluster(directory, Optional.empty(), "a", "b").startAll();
    cluster.say("both");
    Cluster.await(SOON, () -> mayOutlive("a", "b") && mayOutlive("b", "a"));
  }

  @AfterEach
  void close() {
    cluster.close();
  }

  private boolean mayOutlive(String self, String other) {
    return cluster.voter(self).alone().other().filter(o -> o.name().equals(other)).isPresent();
  }

  private static void done(CompletableFuture<Void> future) throws Exception {
    future.get(10, TimeUnit.SECONDS);
  }

  private void powerOff(String name) {
    cluster.stop(name);
    cluster.boots.merge(name, 2, Integer::sum);
  }

  /** As its proof demands: fenced, then everything before the readings is old. */
  private void outlive(String self, String other) throws Exception {
    done(cluster.voter(self).alone().intend(other));
    powerOff(other);
    Cluster.await(SOON, () -> !cluster.leadership(self).self());
    done(cluster.voter(self).alone().goOnAlone(other, System.nanoTime()));
    Cluster.await(SOON, () -> cluster.leadership(self).ready());
  }

  @Test
  void theSurvivorHasAllThatWasAcknowledgedAndGoesOn() throws Exception {
    outlive("a", "b");
    cluster.say("alone");
    assertThat(cluster.said("a")).containsExactly("both", "alone");
    assertThat(cluster.voter("a").alone().generation()).isEqualTo(2);
    assertThat(cluster.voter("a").alone().absent()).containsExactly("b");
  }

  @Test
  void aSoleVoterStartsAtOnce() throws Exception {
    outlive("a", "b");
    cluster.say("alone");
    powerOff("a");
    cluster.start("a");
    cluster.say("again");
    assertThat(cluster.said("a")).containsExactly("both", "alone", "again");
    assertThat(cluster.voter("a").alone().generation()).isEqualTo(2);
  }

  @Test
  void theOtherComesBackAsANewcomerCatchesUpAndVotes() throws Exception {
    outlive("a", "b");
    cluster.say("alone");
    cluster.start("b");
    Cluster.await(SOON, () -> cluster.halted.get("b") instanceof Halted.Restart);
    cluster.stop("b");
    assertThat(cluster.voter("a").members().voters()).hasSize(1);
    cluster.start("b");
    Cluster.await(SOON, () -> cluster.voter("a").members().voters().size() == 2);
    cluster.say("together");
    Cluster.await(SOON, () -> cluster.said("b").contains("together"));
    assertThat(cluster.said("b")).containsExactly("both", "alone", "together");
    Cluster.await(SOON, () -> mayOutlive("b", "a"));
    assertThat(cluster.voter("b").alone().generation()).isEqualTo(2);
    assertThat(cluster.voter("a").alone().absent()).isEmpty();
    try (var files = Files.list(directory.resolve("b"))) {
      assertThat(files.map(f -> f.getFileName().toString())).contains("old-1-identity");
    }
    outlive("b", "a");
    assertThat(cluster.voter("b").alone().generation()).isEqualTo(3);
  }

  @Test
  void oneThatHasJustBootedDoesNotKnowWhetherTheOtherWentOnWithoutIt() throws Exception {
    outlive("a", "b");
    powerOff("a");
    var b = cluster.start("b");
    assertThatThrownBy(() -> done(b.alone().intend("a")))
        .hasRootCauseMessage("a is not to be outlived");
    assertThatThrownBy(() -> done(b.alone().goOnAlone("a", System.nanoTime())))
        .hasRootCauseMessage("a is not to be outlived");
    assertThat(b.leadership().ready()).isFalse();
  }

  @Test
  void aProcessThatIsStartedAnewBetweenFenceAndShrinkGoesOn() throws Exception {
    done(cluster.voter("a").alone().intend("b"));
    powerOff("b");
    cluster.stop("a");
    var a = cluster.start("a");
    Cluster.await(SOON, () -> mayOutlive("a", "b"));
    done(a.alone().goOnAlone("b", System.nanoTime()));
    cluster.say("alone");
    assertThat(cluster.said("a")).containsExactly("both", "alone");
  }

  /**
   * Intent, term, vote, the new set, the election and its first entry: after each of their fsyncs.
   */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 8, 10, 11})
  void itMayDieBetweenAnyTwoWritesAndNothingIsLost(int writes) throws Exception {
    cluster.stop("a");
    var disks = new ArrayList<DyingDisk>();
    cluster.disks.put(
        "a",
        real -> {
          disks.add(new DyingDisk(real));
          return disks.getLast();
        });
    var a = cluster.start("a");
    cluster.say("before");
    Cluster.await(SOON, () -> mayOutlive("a", "b"));
    disks.getLast().diesAfter(writes);
    try {
      a.alone().intend("b").get(2, TimeUnit.SECONDS);
    } catch (ExecutionException | TimeoutException e) {
      assertThat(cluster.halted).as("nothing else keeps it").containsKey("a");
    }
    powerOff("b");
    if (!cluster.halted.containsKey("a")) {
      Cluster.await(SOON, () -> !a.leadership().self() || cluster.halted.containsKey("a"));
      var goesOn = a.alone().goOnAlone("b", System.nanoTime());
      Cluster.await(SOON, () -> a.leadership().ready() || cluster.halted.containsKey("a"));
      assertThat(goesOn.isCompletedExceptionally()).isFalse();
    }
    cluster.stop("a");
    cluster.disks.clear();
    var again = cluster.start("a");
    boolean sole = again.members().voters().size() == 1;
    if (!sole && mayOutlive("a", "b")) {
      done(again.alone().goOnAlone("b", System.nanoTime()));
    } else if (!sole) {
      cluster.start("b"); // it died before its intent was on the disk: it waits for both
    }
    cluster.say("after");
    assertThat(cluster.said(cluster.leader())).containsExactly("both", "before", "after");
  }

  @Test
  void aHostThatIsStartedAnewBetweenFenceAndShrinkWaits() throws Exception {
    done(cluster.voter("a").alone().intend("b"));
    powerOff("b");
    powerOff("a");
    var a = cluster.start("a");
    assertThatThrownBy(() -> done(a.alone().goOnAlone("b", System.nanoTime())))
        .hasRootCauseMessage("b is not to be outlived");
    cluster.start("b");
    cluster.say("both again");
  }

  /** One that follows, for the other one leads: that it leads itself must not be what saves it. */
  @Test
  void whoWasHeardSinceTheReadingsIsNotOutlived() {
    var other = cluster.leader();
    var self = other.equals("a") ? "b" : "a";
    long readings = System.nanoTime();
    Cluster.await(SOON, () -> heardSince(self, readings));
    assertThat(cluster.leadership(self).self()).isFalse();
    assertThatThrownBy(() -> done(cluster.voter(self).alone().goOnAlone(other, readings)))
        .hasRootCauseMessage("voter " + other + " was heard meanwhile");
    assertThat(cluster.voter(self).alone().generation()).isEqualTo(1);
  }

  @Test
  void whoLeadsWithTheOtherOutlivesNobody() {
    var self = cluster.leader();
    var other = self.equals("a") ? "b" : "a";
    assertThatThrownBy(() -> done(cluster.voter(self).alone().goOnAlone(other, System.nanoTime())))
        .hasRootCauseMessage("this voter leads with " + other);
  }

  private boolean heardSince(String self, long readings) {
    return cluster
        .voter(self)
        .alone()
        .other()
        .filter(o -> o.lastHeard() - readings > 0)
        .isPresent();
  }

  @Test
  void neitherOfThreeIsEverAlone() throws Exception {
    cluster.newAddress("w");
    cluster.start("w");
    done(cluster.voter(cluster.leader()).addVoter(cluster.addressOf("w")));
    Cluster.await(SOON, () -> !mayOutlive("a", "b") && !mayOutlive("b", "a"));
    assertThatThrownBy(() -> done(cluster.voter("a").alone().intend("b")))
        .hasRootCauseMessage("b is not to be outlived");
  }

  /** Else the one cut off could go on alone while the other two have a quorum. */
  @Test
  void aThirdDoesNotCountBeforeBothOfTheTwoHaveItInTheirLogs() throws Exception {
    cluster.newAddress("w");
    cluster.start("w");
    var leader = cluster.leader();
    var other = leader.equals("a") ? "b" : "a";
    var cut = other + ">" + leader;
    // what it is told arrives, what it answers does not: its log has the third, nobody knows
    cluster.cut.add(leader + ">" + other);
    cluster.cut.add(cut);
    var added = cluster.voter(leader).addVoter(cluster.addressOf("w"));
    assertThatThrownBy(() -> done(added)).isNotNull();
    assertThat(cluster.leadership(leader).ready()).isFalse();
    assertThat(mayOutlive(other, leader)).isTrue();
    cluster.cut.clear();
    cluster.say("all");
  }

  @Test
  void onAnOperatorsWordOneGoesOnAloneAndTheOtherSideGivesWay() throws Exception {
    outlive("a", "b");
    cluster.say("only a has this");
    powerOff("a");
    var b = cluster.start("b");
    Cluster.await(SOON, () -> b.members().voters().size() == 2);
    done(b.alone().force());
    cluster.say("b goes on");
    assertThat(b.alone().generation()).isEqualTo(1000);
    cluster.start("a");
    Cluster.await(SOON, () -> cluster.halted.get("a") instanceof Halted.Restart);
    cluster.stop("a");
    cluster.start("a");
    Cluster.await(SOON, () -> b.members().voters().size() == 2);
    cluster.say("both again");
    Cluster.await(SOON, () -> cluster.said("a").contains("both again"));
    assertThat(cluster.said("a")).containsExactly("both", "b goes on", "both again");
  }

  @Test
  void anOperatorsWordIsRefusedWhileTheOtherIsHeard() {
    assertThatThrownBy(() -> done(cluster.voter("a").alone().force()))
        .hasRootCauseMessage("still heard: voter b");
  }
}
