package dev.haven.model.wire;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Optional;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * A sign of life, sent by UDP every 200 ms over every network to every voter, signed (HMAC-SHA-256)
 * with the key that this agent process gave in its {@code Hello}.
 *
 * @param sequence grows by one with each beat of the process; a voter takes none that is not newer
 *     than the last
 * @param sentNanos the agent's own clock that does not stop in suspend; comes back in the answer
 * @param network over which it is sent
 * @param digest of the host's guests; a change tells the leader that a report is on its way
 * @param challenge the newest that this voter has given in an answer, 0 before the first: a beat
 *     that was recorded, or held back on its way, does not have it and is no sign of life
 */
public record Heartbeat(
    HostId host,
    BootId boot,
    ProcessId process,
    long sequence,
    long sentNanos,
    String network,
    long digest,
    long challenge) {
  private static final int MAGIC = 0x48564842; // HVHB
  private static final byte VERSION = (byte) FromAgent.VERSION;
  private static final int MAC_BYTES = 32;
  private static final String HMAC = "HmacSHA256";

  /** Each thread's own: finding one takes the JDK twice as long as using it. */
  private static final ThreadLocal<Mac> MACS = ThreadLocal.withInitial(Heartbeat::newMac);

  /** A datagram is at most so many bytes long; a longer one is no heartbeat. */
  public static final int MAX_BYTES = 512;

  /**
   * The datagram: at most {@link #MAX_BYTES}, with its signature at the end.
   *
   * @param key the {@code heartbeatKey} of this process's hello, 32 bytes
   */
  public byte[] sign(byte[] key) {
    var buffer = ByteBuffer.allocate(MAX_BYTES);
    buffer.putInt(MAGIC).put(VERSION);
    put(buffer, host.value());
    put(buffer, boot.value());
    put(buffer, process.value());
    buffer.putLong(sequence).putLong(sentNanos);
    put(buffer, network);
    buffer.putLong(digest).putLong(challenge);
    return seal(buffer, key);
  }

  /**
   * What a datagram claims to be; worth nothing before {@link #signedWith}. Empty if it is not a
   * heartbeat of this version.
   */
  public static Optional<Heartbeat> claim(byte[] datagram, int length) {
    if (length < 5 + MAC_BYTES || length > MAX_BYTES) {
      return Optional.empty();
    }
    try {
      var buffer = ByteBuffer.wrap(datagram, 0, length - MAC_BYTES);
      if (buffer.getInt() != MAGIC || buffer.get() != VERSION) {
        return Optional.empty();
      }
      return Optional.of(
          new Heartbeat(
              new HostId(text(buffer)),
              new BootId(text(buffer)),
              new ProcessId(text(buffer)),
              buffer.getLong(),
              buffer.getLong(),
              text(buffer),
              buffer.getLong(),
              buffer.getLong()));
    } catch (java.nio.BufferUnderflowException | IllegalArgumentException e) {
      return Optional.empty(); // noise from the network is no event
    }
  }

  /**
   * Whether this is the whole datagram as the holder of the key signed it.
   *
   * @param key the {@code heartbeatKey} of the process that it claims to be of
   * @param length of the datagram in the array, from 0
   */
  public static boolean signedWith(byte[] key, byte[] datagram, int length) {
    return length > MAC_BYTES
        && MessageDigest.isEqual(
            mac(key, datagram, length - MAC_BYTES),
            java.util.Arrays.copyOfRange(datagram, length - MAC_BYTES, length));
  }

  static byte[] seal(ByteBuffer buffer, byte[] key) {
    int length = buffer.position();
    buffer.put(mac(key, buffer.array(), length));
    return java.util.Arrays.copyOf(buffer.array(), buffer.position());
  }

  private static byte[] mac(byte[] key, byte[] data, int length) {
    try {
      var mac = MACS.get();
      mac.init(new SecretKeySpec(key, HMAC));
      mac.update(data, 0, length);
      return mac.doFinal();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Mac newMac() {
    try {
      return Mac.getInstance(HMAC);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has " + HMAC, e);
    }
  }

  static void put(ByteBuffer buffer, String text) {
    var bytes = text.getBytes(StandardCharsets.UTF_8);
    if (bytes.length > 127) {
      throw new IllegalArgumentException("longer than 127 bytes in a heartbeat: " + text);
    }
    buffer.put((byte) bytes.length).put(bytes);
  }

  static String text(ByteBuffer buffer) {
    int length = buffer.get();
    if (length < 0) {
      throw new IllegalArgumentException("negative length");
    }
    var bytes = new byte[length];
    buffer.get(bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
