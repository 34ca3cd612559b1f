package dev.haven.orchestrator.detect;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.core.lead.Inquiry;
import dev.haven.core.lead.Watch;
import dev.haven.model.Network;
import dev.haven.orchestrator.port.PowerDevices;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Asks kernels and power devices, on threads of its own, and reports to the watch. */
final class Questions implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Questions.class);

  /** Between the echo of one host that is heard and that of the next. */
  private static final long ROUND_PAUSE_MILLIS = 20;

  /** A person waits for it, and the client asks the next voter if we take too long. */
  private static final Duration OUTLOOK = Duration.ofSeconds(3);

  private static final Duration OUTLOOK_POWER = Duration.ofMillis(2_500);
  private static final Duration OUTLOOK_ECHO = Duration.ofSeconds(1);

  private final Watch watch;
  private final Supplier<ClusterState> state;
  private final Kernels kernels;
  private final PowerDevices power;
  private final Consumer<Event> events;
  private volatile boolean closed;

  /** Asks a host's kernel for an echo; blocks for at most the time given. */
  interface Kernels {
    boolean answers(List<String> addresses, int timeoutMillis) throws InterruptedException;
  }

  /** Asks once. */
  private interface Question {
    /** Returns for how long to wait before it is asked again. */
    Duration ask() throws InterruptedException;
  }

  Questions(
      Watch watch,
      Supplier<ClusterState> state,
      Kernels kernels,
      PowerDevices power,
      Consumer<Event> events) {
    this.watch = watch;
    this.state = state;
    this.kernels = kernels;
    this.power = power;
    this.events = events;
  }

  /** From now on the kernels of hosts that are heard are asked in turn. */
  void begin() {
    Thread.ofVirtual().name("echo-rounds").start(this::askKernels);
  }

  private void askKernels() {
    try {
      while (!closed) {
        try {
          Thread.sleep(askNext() ? ROUND_PAUSE_MILLIS : 500);
        } catch (RuntimeException e) {
          log.error("asking the kernels stumbled and goes on", e);
          Thread.sleep(1_000);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean askNext() throws InterruptedException {
    var next = watch.toAsk(state.get().hosts(), System.nanoTime());
    if (next.isEmpty()) {
      return false;
    }
    long asked = System.nanoTime();
    boolean answers = answers(next.get(), Inquiry.ECHO_WITHIN);
    watch.echo(next.get().id(), asked, answers, System.nanoTime(), Instant.now()).ifPresent(events);
    return true;
  }

  private boolean answers(Host host, Duration within) throws InterruptedException {
    var addresses = host.spec().networks().stream().map(Network::address).toList();
    return kernels.answers(addresses, Math.toIntExact(within.toMillis()));
  }

  /** A host falls silent: its kernel is asked. */
  void askKernel(Inquiry inquiry) {
    var host = inquiry.host();
    ask(
        "echo-",
        inquiry,
        () -> {
          long asked = System.nanoTime();
          return inquiry.echo(asked, answers(host, Inquiry.ECHO_WITHIN));
        });
  }

  /** Its power devices are asked besides. */
  void askDevices(Inquiry inquiry) {
    var host = inquiry.host();
    ask(
        "power-",
        inquiry,
        () -> {
          var reading = power.look(host.id(), host.spec(), Inquiry.READING_WITHIN);
          return inquiry.power(System.nanoTime(), reading.says(), reading.words(), reading.level());
        });
  }

  private void ask(String name, Inquiry inquiry, Question question) {
    Thread.ofVirtual()
        .name(name + inquiry.host().id())
        .start(
            () -> {
              try {
                while (!inquiry.over() && !closed) {
                  Thread.sleep(question.ask());
                }
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
  }

  /**
   * What is known of a host that an operator declares dead; asks its kernel and its devices now,
   * side by side.
   */
  Event.Outlook outlook(Host host) throws InterruptedException {
    long began = System.nanoTime();
    var said =
        Outlooks.of(
            () -> answers(host, OUTLOOK_ECHO),
            () -> power.look(host.id(), host.spec(), OUTLOOK_POWER).says(),
            OUTLOOK);
    return watch.outlook(host.id(), said.kernel(), said.power(), began, System.nanoTime());
  }

  @Override
  public void close() {
    closed = true;
  }
}
