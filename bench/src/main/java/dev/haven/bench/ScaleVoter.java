package dev.haven.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * One voter of {@link ScaleCluster}: where it is, and its process.
 *
 * @param networks its address in each network
 * @param directory what it has
 */
record ScaleVoter(
    String name,
    List<String> networks,
    int api,
    int raft,
    int heartbeats,
    Path directory,
    List<Process> processes) {

  /** A voter that has not been started. */
  static ScaleVoter at(String name, List<String> networks, Path directory) throws IOException {
    var own = networks.getFirst();
    return new ScaleVoter(
        name,
        networks,
        FreePorts.at(own),
        FreePorts.at(own),
        FreePorts.at(own),
        directory,
        new ArrayList<>());
  }

  String url() {
    return "https://" + networks.getFirst() + ":" + api;
  }

  Path log() {
    return directory.resolve("log");
  }

  /** As a line of {@code voters} in the configuration. */
  private String listed() {
    return "  - {name: %s, raft: \"%s:%d\", api: \"%s:%d\", networks: {control: %s, migration: %s}}"
        .formatted(
            name,
            networks.getFirst(),
            raft,
            networks.getFirst(),
            api,
            networks.getFirst(),
            networks.get(1));
  }

  /**
   * Starts the shipped orchestrator.
   *
   * @param keys the folder with the cluster's CA, its keys and {@code secrets.key}
   */
  void start(List<ScaleVoter> all, Path keys, List<String> flags) throws IOException {
    Files.createDirectories(directory);
    var config =
        Files.writeString(
            directory.resolve("orchestrator.yaml"),
            """
            name: %1$s
            data: %2$s/data
            listen: %3$s:%4$d
            heartbeatPort: %5$d
            networks: {control: %3$s, migration: %6$s}
            voters:
            %7$s
            secretsKey: %8$s/secrets.key
            tls: {ca: %8$s/ca.pem, certificate: %8$s/voter-%1$s.pem, key: %8$s/voter-%1$s.key}
            """
                .formatted(
                    name,
                    directory,
                    networks.getFirst(),
                    api,
                    heartbeats,
                    networks.get(1),
                    all.stream().map(ScaleVoter::listed).collect(Collectors.joining("\n")),
                    keys));
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(flags);
    command.addAll(
        List.of(
            "-cp",
            System.getProperty("java.class.path"),
            "dev.haven.orchestrator.Orchestrator",
            config.toString()));
    processes.add(
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(log().toFile())
            .start());
  }

  long pid() {
    return processes.getFirst().pid();
  }

  boolean alive() {
    return processes.getFirst().isAlive();
  }

  void stop() {
    for (var process : processes) {
      end(process);
    }
  }

  /** Asks it to end, and ends it after 10 s. */
  static void end(Process process) {
    process.destroy();
    try {
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
