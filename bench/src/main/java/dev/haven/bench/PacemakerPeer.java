package dev.haven.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.haven.lab.LabException;
import dev.haven.model.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;

/**
 * The same guests kept by Pacemaker, Corosync and VirtualDomain, on the same kind of hosts: what
 * Haven is measured against. All of it is made by the script {@code bench/pacemaker/peer}.
 */
public final class PacemakerPeer {
  /** Corosync's default, and what those choose who are in a hurry. */
  private static final List<Duration> TOKENS =
      List.of(Duration.ofMillis(3_000), Duration.ofMillis(1_000));

  /** A crash and the return of the host take a minute; building the cluster takes another. */
  private static final Duration A_RUN = Duration.ofMinutes(5);

  private PacemakerPeer() {}

  /**
   * One guest after one crash of its host.
   *
   * @param token Corosync's, in milliseconds
   * @param process milliseconds from the crash to the new QEMU process
   * @param up the same to the guest's first word
   */
  public record Start(int token, int run, String guest, long process, long up) {}

  /**
   * Builds the peer once for each token, measures, and takes it away again.
   *
   * @param guests libvirt's descriptions by name, in which {@code @SHARED@} stands for the
   *     directory that all hosts share
   * @param haven what Haven took for the same in the same run, if it was measured: to be set beside
   * @throws LabException if the peer does not do as it should; what it said is in {@code out}
   */
  public static List<Start> run(
      Path script,
      Map<String, String> guests,
      int runs,
      Optional<FailoverBench.Result> haven,
      PrintStream out) {
    var all = new ArrayList<Start>();
    for (var token : TOKENS) {
      all.addAll(run(script, guests, runs, token, out));
    }
    print(all, haven, out);
    return all;
  }

  private static List<Start> run(
      Path script, Map<String, String> guests, int runs, Duration token, PrintStream out) {
    Path directory;
    try {
      directory = Files.createTempDirectory("haven-peer");
    } catch (IOException e) {
      throw new LabException("no directory for the peer: " + e.getMessage(), e);
    }
    try {
      var shared = Files.createDirectory(directory.resolve("shared"));
      for (var guest : guests.entrySet()) {
        Files.writeString(
            shared.resolve(guest.getKey() + ".xml"),
            guest.getValue().replace("@SHARED@", shared.toString()));
        try (var disk =
            new java.io.RandomAccessFile(shared.resolve(guest.getKey() + ".raw").toFile(), "rw")) {
          disk.setLength(8L << 20);
        }
      }
      var process =
          new ProcessBuilder(
                  script.toString(),
                  directory.toString(),
                  Integer.toString(runs),
                  Long.toString(token.toMillis()))
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      var stop =
          Thread.ofPlatform()
              .unstarted(
                  () -> {
                    stop(process);
                    delete(directory);
                  });
      Runtime.getRuntime().addShutdownHook(stop); // ^C ends us without the lines below
      try {
        return read(process, runs, out);
      } finally {
        stop(process);
        removeHook(stop);
      }
    } catch (IOException e) {
      throw new LabException("the peer cannot be run: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LabException("interrupted while the peer was measured", e);
    } finally {
      delete(directory);
    }
  }

  /** It takes its hosts away; what is left of it then dies with it. */
  private static void stop(Process process) {
    process.destroy();
    try {
      if (!process.waitFor(30, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  private static void removeHook(Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // it is at work
    }
  }

  private static List<Start> read(Process process, int runs, PrintStream out)
      throws IOException, InterruptedException {
    var starts = new ArrayList<Start>();
    var limit = A_RUN.multipliedBy(runs + 1L);
    var watchdog =
        Thread.ofVirtual()
            .start(
                () -> {
                  try {
                    if (!process.waitFor(limit.toSeconds(), TimeUnit.SECONDS)) {
                      process.destroy();
                    }
                  } catch (InterruptedException e) {
                    // it has ended by itself
                  }
                });
    try (var lines =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      for (var line = lines.readLine(); line != null; line = lines.readLine()) {
        var start = parse(line);
        starts.add(start);
        out.printf(
            Locale.ROOT,
            "Pacemaker, token %d ms, run %d, guest %s: new QEMU process after %d ms%n",
            start.token(),
            start.run(),
            start.guest(),
            start.process());
      }
    }
    watchdog.interrupt();
    if (process.waitFor() != 0 || starts.isEmpty()) {
      throw new LabException("the peer could not be measured; why is said above");
    }
    return starts;
  }

  static Start parse(String line) {
    try {
      return Json.mapper().readValue(line, Start.class);
    } catch (JsonProcessingException e) {
      throw new LabException("the peer said: " + line, e);
    }
  }

  private static void print(
      List<Start> starts, Optional<FailoverBench.Result> haven, PrintStream out) {
    out.printf(
        "%n%-40s %9s %9s %9s %5s %9s%n",
        "Pacemaker: host crashed", "min ms", "median ms", "max ms", "runs", "x Haven");
    for (var token : TOKENS) {
      var crashes =
          starts.stream()
              .filter(s -> s.token() == token.toMillis())
              .collect(Collectors.groupingBy(Start::run))
              .values();
      // the first guest of each crash, as Haven's phases have it
      row(
          out,
          "token %d ms: new QEMU process".formatted(token.toMillis()),
          crashes.stream().map(c -> first(c, Start::process)).toList(),
          haven.map(h -> h.phases().get("qemu-process")));
      row(
          out,
          "token %d ms: guest up".formatted(token.toMillis()),
          crashes.stream().map(c -> first(c, Start::up)).toList(),
          haven.map(h -> h.phases().get("guest-up")));
      row(
          out,
          "token %d ms: its last guest's process".formatted(token.toMillis()),
          crashes.stream()
              .map(c -> c.stream().mapToLong(Start::process).max().orElseThrow())
              .toList(),
          Optional.empty());
    }
    out.println();
  }

  private static long first(List<Start> crash, ToLongFunction<Start> of) {
    return crash.stream().mapToLong(of).min().orElseThrow();
  }

  private static void row(
      PrintStream out, String name, List<Long> millis, Optional<List<Duration>> haven) {
    var times = millis.stream().map(Duration::ofMillis).sorted().toList();
    if (!times.isEmpty()) {
      out.printf(
          Locale.ROOT,
          "%-40s %9d %9d %9d %5d %9s%n",
          name,
          times.getFirst().toMillis(),
          FailoverBench.median(times).toMillis(),
          times.getLast().toMillis(),
          times.size(),
          haven
              .map(FailoverBench::median)
              .map(
                  h ->
                      "%.1f"
                          .formatted((double) FailoverBench.median(times).toNanos() / h.toNanos()))
              .orElse("-"));
    }
  }

  private static void delete(Path directory) {
    try (var files = Files.walk(directory)) {
      for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new LabException("cannot delete " + directory + ": " + e.getMessage(), e);
    }
  }
}
