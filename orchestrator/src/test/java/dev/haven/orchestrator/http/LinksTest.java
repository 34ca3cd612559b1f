package dev.haven.orchestrator.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.Closeable;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LinksTest {
  private static final int HEAP_FOR = 64;
  private final Links links =
      new Links(Deadlines.inUnitsOf(Duration.ofHours(1)), HEAP_FOR, _ -> false);

  @AfterEach
  void close() {
    links.close();
  }

  /** A connection that does nothing. */
  private static final class Idle implements Closeable {
    private static int port = 1;
    private final InetSocketAddress remote;
    private final AtomicBoolean closed = new AtomicBoolean();

    private final Links links;

    Idle(Links links, String address) {
      this.links = links;
      remote = new InetSocketAddress(address, port++);
      links.opened(this, remote, Optional.empty());
    }

    @Override
    public void close() {
      closed.set(true);
      links.ended(this);
    }
  }

  @Test
  void handshakesAreAsManyAsTheHeapCanHold() {
    assertThat(Links.handshakesFor(32L << 20)).isEqualTo(256);
    assertThat(Links.handshakesFor(96L << 20)).isEqualTo(768);
    assertThat(Links.handshakesFor(4L << 30)).isEqualTo(2_048);
  }

  @Test
  void theOldestHandshakeMakesRoomForALatecomer() {
    var all = new ArrayList<Idle>();
    for (int i = 0; i < HEAP_FOR + 8; i++) {
      all.add(new Idle(links, "10.0.%d.1".formatted(i)));
    }
    assertThat(all.stream().filter(idle -> idle.closed.get())).hasSize(8);
    assertThat(all.subList(0, 8)).allMatch(idle -> idle.closed.get());
  }

  /** The machine's own root, whose commands and event streams have no handshake. */
  @Test
  void noCrowdOfStrangersEndsAConnectionOfThisVeryMachine() {
    var own = new AtomicBoolean();
    links.opened(() -> own.set(true), null, Optional.of("root"));
    for (int i = 0; i < HEAP_FOR + 8; i++) {
      new Idle(links, "10.0.%d.1".formatted(i));
    }
    assertThat(own).isFalse();
  }

  @Test
  void oneAddressHasAFewHandshakesAtATimeAndOthersGetInBesideThem() {
    var other = new Idle(links, "10.0.0.1");
    var crowd = new ArrayList<Idle>();
    for (int i = 0; i < HEAP_FOR; i++) {
      crowd.add(new Idle(links, "10.0.0.66"));
    }
    assertThat(crowd.stream().filter(idle -> !idle.closed.get()).toList())
        .isEqualTo(crowd.subList(HEAP_FOR - Links.HANDSHAKES_OF_ONE, HEAP_FOR));
    assertThat(other.closed).isFalse();
  }

  @Test
  void handshakesThatAreDoneNoLongerCount() {
    for (int i = 0; i < 10 * Links.HANDSHAKES_OF_ONE; i++) {
      var idle = new Idle(links, "10.0.0.1");
      links.of(idle).orElseThrow().greeted();
      assertThat(idle.closed).isFalse();
    }
  }

  @Test
  void aHolderOfACertificateWhoComesAgainAndAgainLosesTheOldestConnection() {
    List<Idle> all = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      var idle = new Idle(links, "10.0.0.1");
      links.of(idle).orElseThrow().greeted("host d", 4, "key");
      all.add(idle);
    }
    assertThat(all.getFirst().closed).isTrue();
    assertThat(all.subList(1, 5)).noneMatch(idle -> idle.closed.get());
  }
}
