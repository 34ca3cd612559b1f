package dev.haven.fencing;

import java.util.Collection;
import java.util.Locale;
import java.util.regex.Pattern;

/** What must never be shown, and how it is hidden. */
final class Secrets {
  static final String HIDDEN = "(hidden)";

  // Fence agents mark no option as secret in their metadata, so its name has to tell.
  private static final Pattern SECRET_NAME =
      Pattern.compile(
          "pass|secret|token|credential|community|private|(^|_)(pwd|pin|auth|apikey)($|_)|(^|_)(key|kg)($|_)");

  /** Settings that name a place or a program, not a secret, though their names sound like one. */
  private static final Pattern HARMLESS_NAME =
      Pattern.compile("(file|script|path)$|_(prompt|timeout|auth_prot|priv_prot)$");

  private Secrets() {}

  static boolean isSecret(String setting) {
    var name = setting.toLowerCase(Locale.ROOT).replace('-', '_');
    return name.startsWith("env.") // whatever a command's environment carries
        || SECRET_NAME.matcher(name).find() && !HARMLESS_NAME.matcher(name).find();
  }

  /**
   * The text without any of these secrets: a device's own error message may repeat what it was
   * given.
   */
  static String hide(String text, Collection<String> secrets) {
    for (var secret : secrets) {
      if (!secret.isEmpty()) {
        text = text.replace(secret, HIDDEN);
      }
    }
    return text;
  }
}
