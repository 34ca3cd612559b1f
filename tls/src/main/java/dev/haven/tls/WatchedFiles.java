package dev.haven.tls;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A certificate and a key whose files may be replaced while the process runs. */
final class WatchedFiles implements Supplier<Optional<OwnKey.Pair>> {
  private static final Logger log = LoggerFactory.getLogger(WatchedFiles.class);

  /** Reads and checks both. */
  interface Reading {
    OwnKey.Pair read() throws TlsException;
  }

  private final List<Path> files;
  private final long each;
  private final Reading reading;
  private final OwnKey.Pair first;
  private List<Object> seen;
  private long looked = System.nanoTime();
  private String told = "";

  /**
   * @param each how often to look at most
   * @throws TlsException if they cannot be used now
   */
  WatchedFiles(List<Path> files, Duration each, Reading reading) throws TlsException {
    this.files = files;
    this.each = each.toNanos();
    this.reading = reading;
    this.seen = marks(files); // before they are read: a change in between is noticed
    this.first = reading.read();
  }

  /** As they were in the beginning. */
  OwnKey.Pair first() {
    return first;
  }

  /** Others than last time; empty if they are the same, or cannot be used. */
  @Override
  public synchronized Optional<OwnKey.Pair> get() {
    if (System.nanoTime() - looked < each) {
      return Optional.empty();
    }
    looked = System.nanoTime();
    var now = marks(files);
    if (now.equals(seen)) {
      return Optional.empty();
    }
    try {
      var next = reading.read();
      var holder = next.chain().getFirst().getSubjectX500Principal();
      if (!holder.equals(first.chain().getFirst().getSubjectX500Principal())) {
        throw new TlsException(
            files.getFirst(), "is the certificate of " + holder.getName(), "give our own");
      }
      seen = now;
      told = "";
      log.info("{}: a new certificate is in use", files.getFirst());
      return Optional.of(next);
    } catch (TlsException e) { // perhaps one of the two is not there yet
      var why = String.valueOf(e.getMessage());
      if (!why.equals(told)) {
        told = why;
        log.warn("a new certificate is not used, the old one stays: {}", why);
      }
      return Optional.empty();
    }
  }

  private static List<Object> marks(List<Path> files) {
    var marks = new ArrayList<Object>();
    for (var file : files) {
      try {
        var found = Files.readAttributes(file, BasicFileAttributes.class);
        marks.add(List.of(found.lastModifiedTime(), found.size(), String.valueOf(found.fileKey())));
      } catch (IOException e) {
        marks.add("none");
      }
    }
    return marks;
  }
}
