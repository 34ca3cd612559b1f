package dev.haven.tls;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Set;

/** The key with which the voters seal secrets in their log: one file, the same on every voter. */
public final class SecretsKey {
  private static final int BYTES = 32;

  private SecretsKey() {}

  /** A new key, as its file has it. */
  public static String make() {
    var key = new byte[BYTES];
    new SecureRandom().nextBytes(key);
    return HexFormat.of().formatHex(key) + "\n";
  }

  /**
   * Writes a new key, readable by its owner alone.
   *
   * @throws TlsException if there is a file of that name; it is left as it was
   */
  public static void create(Path file) throws IOException {
    var text = make();
    try (var channel =
        FileChannel.open(
            file,
            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
      channel.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)));
      channel.force(true);
    } catch (FileAlreadyExistsException e) {
      throw new TlsException(
          file, "exists already and is left as it is", "secrets sealed with it need it");
    }
  }
}
