package dev.haven.cli;

import dev.haven.tls.KeyFile;
import dev.haven.tls.Peer;
import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.security.KeyPair;
import java.util.Optional;
import java.util.Set;

/**
 * Writes a machine's files: each whole or not at all, none over another one. What is there already
 * and says the same stays, so that an interrupted command goes on when it is run again.
 */
final class Installation {
  /** Readable by everybody. */
  static final String OPEN = "rw-r--r--";

  private static final String SECRET = "rw-------";

  private final Haven haven;
  private final boolean dryRun;
  private final boolean replace;
  private boolean wrote;

  /**
   * @param dryRun says what it would write
   * @param replace moves files that are in the way to {@code FILE.old}
   */
  Installation(Haven haven, boolean dryRun, boolean replace) {
    this.haven = haven;
    this.dryRun = dryRun;
    this.replace = replace;
  }

  /** Whether any file was not there yet. */
  boolean wrote() {
    return wrote;
  }

  /**
   * Makes a directory, and those above it.
   *
   * @param owner a user of this machine; ours if there is no such user
   */
  void directory(Path directory, String mode, Optional<String> owner) {
    if (Files.isDirectory(directory)) {
      return;
    }
    if (dryRun) {
      haven.print("would make %s%s".formatted(directory, of(owner)));
      return;
    }
    try {
      Files.createDirectories(directory);
      Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString(mode));
      give(directory, owner);
    } catch (IOException e) {
      throw cannot(directory, e);
    }
  }

  /** A secret key, made here and nowhere else. */
  KeyPair key(Path file, Optional<String> owner) {
    try {
      if (dryRun) {
        if (!Files.exists(file)) {
          haven.print("would make a key in %s%s".formatted(file, of(owner)));
        }
        return KeyFile.make();
      }
      wrote |= !Files.exists(file);
      var pair = KeyFile.readOrMake(file);
      give(file, owner);
      return pair;
    } catch (IOException e) {
      throw cannot(file, e);
    }
  }

  /** Whether the certificate is there, of this authority, for this key and of this holder. */
  boolean certified(Path ca, Path certificate, Path key, Peer holder) {
    if (!Files.exists(certificate)) {
      return false;
    }
    try {
      TlsContext.load(ca, certificate, key);
      TlsContext.checkIs(certificate, holder);
      return true;
    } catch (IOException e) {
      if (replace || dryRun) {
        return false;
      }
      throw new Stop(
          Exit.USAGE,
          "%s; nothing was changed. --replace moves it to %s.old"
              .formatted(e.getMessage(), certificate));
    }
  }

  /** A file that is written once: one that says something else is in the way. */
  void file(Path file, String text, boolean secret, Optional<String> owner) {
    try {
      if (Files.exists(file)) {
        if (Files.readString(file).equals(text)) {
          return;
        }
        outOfTheWay(file);
      }
      write(file, text, secret, owner);
    } catch (IOException e) {
      throw cannot(file, e);
    }
  }

  /** A file of settings, which its administrator may have changed since. */
  void settings(Path file, String text, boolean ours) {
    if (ours && Files.exists(file) && !replace) {
      haven.say("%s is there already and left as it is".formatted(file));
      return;
    }
    file(file, text, false, Optional.empty());
  }

  /**
   * Moves a file or directory of another cluster to {@code NAME.old}, if that was said.
   *
   * @throws Stop if it was not
   */
  void outOfTheWay(Path file) {
    if (!replace) {
      throw new Stop(
          Exit.USAGE,
          "%s is there already and says something else; nothing was changed there. If it is no longer needed, --replace moves it to %s.old"
              .formatted(file, file));
    }
    var old = file.resolveSibling(file.getFileName() + ".old");
    for (int i = 1; Files.exists(old, LinkOption.NOFOLLOW_LINKS); i++) {
      old = file.resolveSibling(file.getFileName() + ".old-" + i);
    }
    if (dryRun) {
      haven.print("would move %s to %s".formatted(file, old));
      return;
    }
    try {
      Files.move(file, old, StandardCopyOption.ATOMIC_MOVE);
      haven.print("moved %s to %s".formatted(file, old));
    } catch (IOException e) {
      throw cannot(file, e);
    }
  }

  private void write(Path file, String text, boolean secret, Optional<String> owner)
      throws IOException {
    if (dryRun) {
      haven.print("would write %s%s".formatted(file, of(owner)));
      return;
    }
    var half = file.resolveSibling(file.getFileName() + ".new");
    Files.deleteIfExists(half);
    try (var channel =
        FileChannel.open(
            half,
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(
                PosixFilePermissions.fromString(secret ? SECRET : OPEN)))) {
      var bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      channel.force(true);
    }
    Files.setPosixFilePermissions(half, PosixFilePermissions.fromString(secret ? SECRET : OPEN));
    give(half, owner);
    Files.move(half, file, StandardCopyOption.ATOMIC_MOVE);
    wrote = true;
    haven.print("wrote %s".formatted(file));
  }

  /** To its owner, where there is such a user: in a package's machine there is. */
  void give(Path file, Optional<String> owner) throws IOException {
    if (owner.isEmpty() || !dryRun && !Files.getAttribute(file, "unix:uid").equals(0)) {
      return; // only root can give files away
    }
    Optional<UserPrincipal> user = user(file, owner.get());
    if (!dryRun && user.isPresent()) {
      Files.setOwner(file, user.get());
    }
  }

  private static Optional<UserPrincipal> user(Path file, String name) throws IOException {
    try {
      return Optional.of(
          file.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName(name));
    } catch (UserPrincipalNotFoundException e) {
      return Optional.empty();
    }
  }

  private static String of(Optional<String> owner) {
    return owner.map(o -> ", which belongs to user " + o).orElse("");
  }

  private static Stop cannot(Path file, IOException e) {
    return new Stop(
        Exit.FAILED,
        e instanceof java.nio.file.AccessDeniedException
            ? "%s cannot be written; run this as root".formatted(file)
            : e instanceof dev.haven.tls.TlsException
                ? String.valueOf(e.getMessage())
                : "%s cannot be written (%s); what was written so far stays, and the same command goes on from there"
                    .formatted(file, e));
  }

  /** The text of a file; empty if there is none. */
  static Optional<String> read(Path file) {
    try {
      return Files.exists(file) ? Optional.of(Files.readString(file)) : Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
