package dev.haven.agent;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.haven.core.obey.Refusals;
import dev.haven.model.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The file of what this host has promised to refuse: it survives every restart of the agent.
 *
 * <p>It stands in {@link TwoCopies}, synced before any method that changes something returns, and
 * keeps its room on the disk: one that is full keeps no guest from being marked as paused.
 */
final class OrderBook extends Refusals {
  private static final Logger log = LoggerFactory.getLogger(OrderBook.class);

  private final TwoCopies file;

  private OrderBook(TwoCopies file, Noted noted) {
    super(noted);
    this.file = file;
  }

  private OrderBook(TwoCopies file, String damage) {
    super(damage);
    this.file = file;
  }

  /**
   * Opens the book in this directory, or begins one.
   *
   * @throws IOException if the file is there and cannot be read at all
   */
  static OrderBook open(Path directory) throws IOException {
    TwoCopies.folder(directory);
    return open(new TwoCopies(directory.resolve("orders"), "haven-order-book", true));
  }

  static OrderBook open(TwoCopies file) throws IOException {
    return switch (file.open()) {
      case TwoCopies.Found.Nothing _ -> {
        var book = new OrderBook(file, Noted.NOTHING);
        book.write(Noted.NOTHING);
        yield book;
      }
      case TwoCopies.Found.Damaged d -> damaged(file, d.reason());
      case TwoCopies.Found.Text t -> {
        try {
          yield new OrderBook(file, Json.read(t.text(), Noted.class));
        } catch (IllegalArgumentException | UncheckedIOException e) {
          yield damaged(
              file, "%s is damaged (%s)".formatted(file.files().getFirst(), firstLine(e)));
        }
      }
    };
  }

  private static OrderBook damaged(TwoCopies file, String reason) {
    var damage =
        "%s: what this host has to refuse is not known, so it obeys no order. ".formatted(reason)
            + "Make sure that each of its guests is off here or runs nowhere else, then move %s and %s away and restart the agent"
                .formatted(file.files().getFirst(), file.files().getLast());
    log.error("{}", damage);
    return new OrderBook(file, damage);
  }

  @Override
  protected void write(Noted next) throws IOException {
    file.write(Json.text(next) + "\n");
  }

  private static String firstLine(Exception e) {
    var why =
        e.getCause() instanceof JsonProcessingException json
            ? json.getOriginalMessage()
            : e.getMessage();
    return String.valueOf(why).lines().findFirst().orElse("unreadable");
  }
}
