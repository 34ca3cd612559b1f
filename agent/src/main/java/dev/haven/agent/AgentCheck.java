package dev.haven.agent;

import dev.haven.model.Json;
import dev.haven.model.config.Settings;
import dev.haven.model.config.SettingsException;
import dev.haven.model.config.VoterAddress;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.WireVersions;
import dev.haven.tls.TlsContext;
import dev.haven.tls.TlsException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;

/**
 * {@code Agent --check CONFIG.yaml}: whether an agent of this program would start with that file,
 * and be understood by the voters. It opens nothing that a running agent holds, and changes
 * nothing.
 */
final class AgentCheck {
  /** A voter does not understand this program yet. */
  static final int NOT_YET = Agent.EXIT_BUSY;

  private static final Duration ANSWERS_WITHIN = Duration.ofSeconds(5);

  private final Consumer<String> say;
  private boolean refused;

  /** What a voter says of itself; {@code agents} is missing in voters that are older than this. */
  private record Health(Optional<WireVersions> agents) {}

  /**
   * @param say takes each sentence for people
   */
  AgentCheck(Consumer<String> say) {
    this.say = say;
  }

  /**
   * Blocks for at most some seconds.
   *
   * @return the exit code: 0, 78 if the file or what it names is wrong, {@link #NOT_YET}
   */
  int run(Path file) {
    AgentSettings settings;
    KnownVoters voters;
    SSLContext tls;
    try {
      settings = Settings.read(file, AgentSettings.class);
      voters = Agent.voters(settings);
      tls = Agent.tls(settings, voters);
    } catch (SettingsException | TlsException e) {
      say.accept(String.valueOf(e.getMessage()));
      return SettingsException.EXIT_CODE;
    } catch (IOException e) {
      say.accept(file + " cannot be read: " + e);
      return SettingsException.EXIT_CODE;
    }
    ask(settings.host().value(), voters, tls);
    if (refused) {
      return NOT_YET;
    }
    say.accept(
        "host %s: the settings, certificate and key are right, and no voter refuses version %d"
            .formatted(settings.host(), FromAgent.VERSION));
    return 0;
  }

  private void ask(String host, KnownVoters voters, SSLContext tls) {
    try (var client =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .sslContext(tls)
            .sslParameters(TlsContext.parameters())
            .connectTimeout(ANSWERS_WITHIN)
            .build()) {
      var answers = new ArrayList<Runnable>();
      for (var voter : voters.all()) {
        var answer = ask(client, voter);
        answers.add(() -> judge(host, voter, answer));
      }
      answers.forEach(Runnable::run);
      client.shutdownNow();
    }
  }

  private static CompletableFuture<HttpResponse<byte[]>> ask(
      HttpClient client, VoterAddress voter) {
    var request =
        HttpRequest.newBuilder(URI.create("https://" + voter.api() + "/v1/health"))
            .timeout(ANSWERS_WITHIN)
            .build();
    return client.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray());
  }

  private void judge(
      String host, VoterAddress voter, CompletableFuture<HttpResponse<byte[]>> answer) {
    Optional<WireVersions> understands;
    try {
      var said = answer.join();
      if (said.statusCode() != 200) {
        unknown(voter, "it answers with HTTP status " + said.statusCode());
        return;
      }
      understands = Json.read(said.body(), Health.class).agents();
    } catch (CompletionException | UncheckedIOException e) {
      unknown(voter, ConnectionFailure.words(e));
      return;
    }
    if (understands.isEmpty()) {
      refuses(
          "voter %s does not say which versions of agents it understands, so it is older than this haven-agent. %s"
              .formatted(voter.name(), new WireVersions(1, 1).wayOut(FromAgent.VERSION, host)));
    } else if (!understands.get().understands(FromAgent.VERSION)) {
      refuses(
          "voter %s understands %s, and this haven-agent speaks version %d: it would get no orders and no leases. %s"
              .formatted(
                  voter.name(),
                  understands.get().words(),
                  FromAgent.VERSION,
                  understands.get().wayOut(FromAgent.VERSION, host)));
    }
  }

  private void refuses(String why) {
    refused = true;
    say.accept(why);
  }

  private void unknown(VoterAddress voter, String why) {
    say.accept(
        "voter %s at %s could not be asked (%s), so nobody knows whether it understands version %d"
            .formatted(voter.name(), voter.api(), why, FromAgent.VERSION));
  }
}
