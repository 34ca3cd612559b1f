package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.SocketTimeoutException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Against a voter that says, byte by byte, what the test wants. */
class LocalExchangeTest {
  @TempDir Path directory;
  private Path socket = Path.of("");
  private ServerSocketChannel voter;

  @BeforeEach
  void listen() throws IOException {
    socket = directory.resolve("voter.sock");
    voter = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    voter.bind(UnixDomainSocketAddress.of(socket));
  }

  @AfterEach
  void close() throws IOException {
    voter.close();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
        "HTTP/1.1 200 OK\r\ncontent-length:5\r\nServer: x: y\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello",
      })
  void theAnswerEndsWhereTheVoterSaysSo(String answer) throws IOException {
    says(answer);
    try (var exchange = ask()) {
      assertThat(exchange.status()).isEqualTo(200);
      assertThat(exchange.body().readAllBytes())
          .asString(StandardCharsets.UTF_8)
          .isEqualTo("hello");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "HTTP/1.1 200 OK\r\nContent-Len",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nl",
      })
  void halfAnAnswerIsNone(String answer) {
    says(answer);
    assertThatThrownBy(
            () -> {
              try (var exchange = ask()) {
                exchange.body().readAllBytes();
              }
            })
        .isInstanceOf(EOFException.class)
        .hasMessageContaining("in the middle of its answer");
  }

  @Test
  void whateverElseListensThereIsTold() {
    says("SSH-2.0-OpenSSH_9.2\r\n");
    assertThatThrownBy(this::ask).hasMessageContaining("no voter: it does not speak HTTP");
  }

  @Test
  void silenceEndsWithThePatience() throws IOException {
    try (var exchange = LocalExchange.connect(socket, 50)) {
      assertThatThrownBy(() -> exchange.send("GET", "/", Map.of(), null))
          .isInstanceOf(SocketTimeoutException.class);
    }
  }

  @Test
  void nobodyThereIsAConnectionRefused() throws IOException {
    voter.close();
    assertThatThrownBy(this::ask)
        .isInstanceOf(ConnectException.class)
        .hasMessageContaining("refused");
  }

  private LocalExchange ask() throws IOException {
    var exchange = LocalExchange.connect(socket, 20_000);
    exchange.send("GET", "/v1/status", Map.of("Accept", "application/json"), null);
    return exchange;
  }

  private void says(String answer) {
    Thread.ofVirtual()
        .start(
            () -> {
              try (var channel = voter.accept()) {
                channel.read(ByteBuffer.allocate(4096));
                for (byte b : answer.getBytes(StandardCharsets.UTF_8)) {
                  channel.write(ByteBuffer.wrap(new byte[] {b}));
                }
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
  }
}
