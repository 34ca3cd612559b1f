package dev.haven.orchestrator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.fencing.DeviceSpec;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.ProcessId;
import dev.haven.orchestrator.join.KeyIntake;
import dev.haven.orchestrator.power.FencingDevices;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.BiFunction;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * The secrets among the settings of fencing devices and the keys of the agents' heartbeats, as the
 * voters' logs and snapshots hold them: sealed (AES-256-GCM) with a key that is in a file on every
 * voter and never in the log. Each is sealed for its host, device and setting, so that one cannot
 * be moved to a device that would give it away, and names the key by its id. A voter does not start
 * without its key; only tests have none.
 */
final class SealedSecrets implements FencingDevices.Secrets, KeyIntake.Seal {
  private static final int NONCE = 12;
  private static final int TAG_BITS = 128;

  /** No host's name has a slash. */
  private static final byte[] AUTHORITY = "/authority".getBytes(StandardCharsets.UTF_8);

  private final Optional<SecretKey> key;
  private final SecureRandom random = new SecureRandom();

  private SealedSecrets(Optional<SecretKey> key) {
    this.key = key;
  }

  /**
   * @param file with 64 hexadecimal digits, as {@code openssl rand -hex 32} makes them
   * @throws IllegalArgumentException when it is unreadable, or open to others; the message says so
   */
  static SealedSecrets with(Optional<Path> file) {
    return new SealedSecrets(file.map(SealedSecrets::key));
  }

  private static SecretKey key(Path file) {
    try {
      var modes = Files.getPosixFilePermissions(file);
      if (modes.stream().anyMatch(p -> !p.name().startsWith("OWNER"))) {
        throw new IllegalArgumentException(
            "secretsKey: %s is open to others than its owner; chmod 600 %s".formatted(file, file));
      }
      var text = Files.readString(file).strip();
      if (!text.matches("[0-9A-Fa-f]{64}")) {
        throw new IllegalArgumentException(
            "secretsKey: %s holds no 64 hexadecimal digits; haven ca init makes one, or openssl rand -hex 32; copy it to every voter"
                .formatted(file));
      }
      return new SecretKeySpec(HexFormat.of().parseHex(text), "AES");
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "secretsKey: cannot read %s (%s)".formatted(file, e.getClass().getSimpleName()), e);
    }
  }

  /** A hello as it may go into the log: the key of its heartbeats is sealed. */
  Event sealed(Event event) {
    if (key.isEmpty() || !(event instanceof Event.AgentJoined joined)) {
      return event;
    }
    var hello = joined.hello();
    var sealed = seal(key.get(), place(hello.host(), hello.process()), hello.heartbeatKey());
    return new Event.AgentJoined(hello.withHeartbeatKey(sealed), joined.newcomer(), joined.at());
  }

  /**
   * The key of an agent's heartbeats, in Base64; empty if it was sealed with another key than this
   * voter's.
   */
  Optional<String> heartbeatKey(HostId host, Host.Agent agent) {
    var text = agent.heartbeatKey();
    return !isSealed(text)
        ? Optional.of(text)
        : key.flatMap(k -> open(k, place(host, agent.process()), text));
  }

  /** As it may go into the log. What is sealed already stays as it is. */
  HostSpec seal(HostSpec spec) {
    return key.isEmpty()
        ? spec
        : each(
            spec,
            (device, setting) -> {
              var value = device.settings().getOrDefault(setting, "");
              return DeviceSpec.isSecret(setting) && !isSealed(value)
                  ? seal(key.get(), place(spec.id(), device, setting), value)
                  : value;
            });
  }

  /** As people and programs may see it. */
  static HostSpec shown(HostSpec spec) {
    return each(
        spec,
        (device, setting) ->
            DeviceSpec.isSecret(setting)
                ? DeviceSpec.HIDDEN
                : device.settings().getOrDefault(setting, ""));
  }

  /**
   * The settings to use the device with. What cannot be opened stays sealed: the device is refused
   * then, with the reason, rather than asked with a wrong password.
   */
  @Override
  public Map<String, String> open(HostId host, FencingDevice device) {
    var opened = new TreeMap<>(device.settings());
    if (key.isPresent()) {
      opened.replaceAll(
          (setting, value) ->
              isSealed(value)
                  ? open(key.get(), place(host, device, setting), value).orElse(value)
                  : value);
    }
    return opened;
  }

  @Override
  public boolean plain(FencingDevice device) {
    return device.settings().entrySet().stream()
        .anyMatch(s -> DeviceSpec.isSecret(s.getKey()) && !isSealed(s.getValue()));
  }

  /** The key of the certificate authority, as it may go into the log. */
  @Override
  public String seal(byte[] authority) {
    var text = Base64.getEncoder().encodeToString(authority);
    return key.map(k -> seal(k, AUTHORITY, text)).orElse(text);
  }

  /** The same again; empty if it was sealed with another key than this voter's. */
  @Override
  public Optional<byte[]> open(String sealed) {
    var text =
        isSealed(sealed) ? key.flatMap(k -> open(k, AUTHORITY, sealed)) : Optional.of(sealed);
    return text.map(Base64.getDecoder()::decode);
  }

  private static boolean isSealed(String value) {
    return value.startsWith(DeviceSpec.SEALED);
  }

  private static byte[] place(HostId host, FencingDevice device, String setting) {
    return (host + "/" + device.name() + "/" + setting).getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] place(HostId host, ProcessId process) {
    return (host + "/heartbeats/" + process).getBytes(StandardCharsets.UTF_8);
  }

  /** Tells this voter's key from others, and nothing of it; {@code ""} if it has none. */
  String id() {
    return key.map(SealedSecrets::id).orElse("");
  }

  /**
   * The id of the key with which the secrets of fencing devices are sealed, of most of them if
   * there are several; empty if none is sealed.
   */
  static Optional<String> sealedWith(ClusterState state) {
    var ids = new TreeMap<String, Integer>();
    for (var host : state.hosts()) {
      for (var level : host.spec().fencing()) {
        for (var device : level) {
          for (var value : device.settings().values()) {
            int end = isSealed(value) ? value.indexOf(':', DeviceSpec.SEALED.length()) : -1;
            if (end > 0) {
              ids.merge(value.substring(DeviceSpec.SEALED.length(), end), 1, Integer::sum);
            }
          }
        }
      }
    }
    return ids.entrySet().stream().max(Map.Entry.comparingByValue()).map(Map.Entry::getKey);
  }

  /** Tells the key from others, and nothing of it. */
  private static String id(SecretKey key) {
    try {
      var digest = MessageDigest.getInstance("SHA-256").digest(key.getEncoded());
      return HexFormat.of().formatHex(digest, 0, 4);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }

  private String seal(SecretKey key, byte[] place, String value) {
    var nonce = new byte[NONCE];
    random.nextBytes(nonce);
    try {
      var cipher = cipher(Cipher.ENCRYPT_MODE, key, nonce, place);
      var text = cipher.doFinal(value.getBytes(StandardCharsets.UTF_8));
      var all = Arrays.copyOf(nonce, NONCE + text.length);
      System.arraycopy(text, 0, all, NONCE, text.length);
      return DeviceSpec.SEALED + id(key) + ":" + Base64.getEncoder().encodeToString(all);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Optional<String> open(SecretKey key, byte[] place, String sealed) {
    try {
      var ours = DeviceSpec.SEALED + id(key) + ":";
      if (!sealed.startsWith(ours)) {
        return Optional.empty();
      }
      var all = Base64.getDecoder().decode(sealed.substring(ours.length()));
      if (all.length < NONCE) {
        return Optional.empty();
      }
      var cipher = cipher(Cipher.DECRYPT_MODE, key, Arrays.copyOf(all, NONCE), place);
      return Optional.of(
          new String(cipher.doFinal(all, NONCE, all.length - NONCE), StandardCharsets.UTF_8));
    } catch (GeneralSecurityException | IllegalArgumentException e) {
      return Optional.empty(); // another key, another place, or damaged
    }
  }

  private static Cipher cipher(int mode, SecretKey key, byte[] nonce, byte[] place)
      throws GeneralSecurityException {
    var cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(mode, key, new GCMParameterSpec(TAG_BITS, nonce));
    cipher.updateAAD(place);
    return cipher;
  }

  private static HostSpec each(HostSpec spec, BiFunction<FencingDevice, String, String> value) {
    return spec.with(
        spec.fencing().stream()
            .map(
                level ->
                    level.stream()
                        .map(
                            device -> {
                              var settings = new TreeMap<>(device.settings());
                              settings.replaceAll((setting, _) -> value.apply(device, setting));
                              return new FencingDevice(device.name(), device.kind(), settings);
                            })
                        .toList())
            .toList());
  }
}
