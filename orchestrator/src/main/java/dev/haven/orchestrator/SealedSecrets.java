package dev.haven.orchestrator;

import dev.haven.fencing.DeviceSpec;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
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
 * The secrets among the settings of fencing devices, as the voters' logs and snapshots hold them:
 * sealed (AES-256-GCM) with a key that is in a file on every voter and never in the log. Each is
 * sealed for its host, device and setting, so that one cannot be moved to a device that would give
 * it away. Without a key they stay as they were written, which the device's health warns of.
 */
final class SealedSecrets {
  private static final int NONCE = 12;
  private static final int TAG_BITS = 128;

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
      var others = Files.getPosixFilePermissions(file);
      if (others.stream().anyMatch(p -> p.name().startsWith("OTHERS"))) {
        throw new IllegalArgumentException(
            "secretsKey: %s is open to everybody; chmod 600 %s".formatted(file, file));
      }
      var text = Files.readString(file).strip();
      if (!text.matches("[0-9A-Fa-f]{64}")) {
        throw new IllegalArgumentException(
            "secretsKey: %s holds no 64 hexadecimal digits; make one with: openssl rand -hex 32, and copy it to every voter"
                .formatted(file));
      }
      return new SecretKeySpec(HexFormat.of().parseHex(text), "AES");
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "secretsKey: cannot read %s (%s)".formatted(file, e.getClass().getSimpleName()), e);
    }
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
  Map<String, String> open(HostId host, FencingDevice device) {
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

  /** Whether a secret of the device stands in the log as it was written. */
  static boolean plain(FencingDevice device) {
    return device.settings().entrySet().stream()
        .anyMatch(s -> DeviceSpec.isSecret(s.getKey()) && !isSealed(s.getValue()));
  }

  private static boolean isSealed(String value) {
    return value.startsWith(DeviceSpec.SEALED);
  }

  private static byte[] place(HostId host, FencingDevice device, String setting) {
    return (host + "/" + device.name() + "/" + setting).getBytes(StandardCharsets.UTF_8);
  }

  private String seal(SecretKey key, byte[] place, String value) {
    var nonce = new byte[NONCE];
    random.nextBytes(nonce);
    try {
      var cipher = cipher(Cipher.ENCRYPT_MODE, key, nonce, place);
      var text = cipher.doFinal(value.getBytes(StandardCharsets.UTF_8));
      var all = Arrays.copyOf(nonce, NONCE + text.length);
      System.arraycopy(text, 0, all, NONCE, text.length);
      return DeviceSpec.SEALED + Base64.getEncoder().encodeToString(all);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Optional<String> open(SecretKey key, byte[] place, String sealed) {
    try {
      var all = Base64.getDecoder().decode(sealed.substring(DeviceSpec.SEALED.length()));
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
