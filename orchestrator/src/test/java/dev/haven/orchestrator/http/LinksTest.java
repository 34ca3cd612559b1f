package dev.haven.orchestrator.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LinksTest {
  private static final int HEAP_FOR = 64;
  private final Links links = new Links(Deadlines.inUnitsOf(Duration.ofHours(1)), HEAP_FOR);

  @AfterEach
  void close() {
    links.close();
  }

  /** A connection that does nothing. */
  private static final class Idle implements Closeable {
    private static int port = 1;
    private final InetSocketAddress remote;
    private final AtomicBoolean closed = new AtomicBoolean();

    Idle(String address) {
      remote = new InetSocketAddress(address, port++);
    }

    Idle accepted(Links links) throws IOException {
      links.accepted(remote, this, closed::get);
      return this;
    }

    @Override
    public void close() {
      closed.set(true);
    }
  }

  @Test
  void handshakesAreAsManyAsTheHeapCanHold() {
    assertThat(Links.handshakesFor(32L << 20)).isEqualTo(256);
    assertThat(Links.handshakesFor(96L << 20)).isEqualTo(768);
    assertThat(Links.handshakesFor(4L << 30)).isEqualTo(2_048);
  }

  @Test
  void theOldestHandshakeMakesRoomForALatecomer() throws IOException {
    var all = new ArrayList<Idle>();
    for (int i = 0; i < HEAP_FOR + 8; i++) {
      all.add(new Idle("10.0.%d.1".formatted(i)).accepted(links));
    }
    assertThat(all.stream().filter(idle -> idle.closed.get())).hasSize(8);
    assertThat(all.subList(0, 8)).allMatch(idle -> idle.closed.get());
  }

  /** The machine's own root, whose commands and event streams have no handshake. */
  @Test
  void noCrowdOfStrangersEndsAConnectionOfThisVeryMachine() throws IOException {
    var own = new AtomicBoolean();
    links.accepted(UnixDomainSocketAddress.of("/run/root"), () -> own.set(true), own::get);
    for (int i = 0; i < HEAP_FOR + 8; i++) {
      new Idle("10.0.%d.1".formatted(i)).accepted(links);
    }
    assertThat(own).isFalse();
  }

  @Test
  void oneAddressHasAFewHandshakesAtATimeAndOthersGetInBesideThem() throws IOException {
    var other = new Idle("10.0.0.1").accepted(links);
    var crowd = new ArrayList<Idle>();
    for (int i = 0; i < HEAP_FOR; i++) {
      crowd.add(new Idle("10.0.0.66").accepted(links));
    }
    assertThat(crowd.stream().filter(idle -> !idle.closed.get()).toList())
        .isEqualTo(crowd.subList(HEAP_FOR - Links.HANDSHAKES_OF_ONE, HEAP_FOR));
    assertThat(other.closed).isFalse();
  }

  @Test
  void handshakesThatAreDoneNoLongerCount() throws IOException {
    for (int i = 0; i < 10 * Links.HANDSHAKES_OF_ONE; i++) {
      var idle = new Idle("10.0.0.1").accepted(links);
      links.of(idle.remote).orElseThrow().greeted();
      assertThat(idle.closed).isFalse();
    }
  }

  @Test
  void aHolderOfACertificateWhoComesAgainAndAgainLosesTheOldestConnection() throws IOException {
    List<Idle> all = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      var idle = new Idle("10.0.0.1").accepted(links);
      links.of(idle.remote).orElseThrow().greeted("host d", 4);
      all.add(idle);
    }
    assertThat(all.getFirst().closed).isTrue();
    assertThat(all.subList(1, 5)).noneMatch(idle -> idle.closed.get());
  }
}
