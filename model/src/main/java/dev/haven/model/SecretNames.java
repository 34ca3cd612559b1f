package dev.haven.model;

import java.util.Locale;
import java.util.regex.Pattern;

/** Which settings hold a secret, by their names: the one list of them. */
public final class SecretNames {
  // Fence agents mark no option as secret in their metadata, so its name has to tell.
  private static final Pattern NAME =
      Pattern.compile(
          "pass|secret|token|credential|community|private|(^|_)(pwd|pin|auth|apikey)($|_)|(^|_)(key|kg)($|_)");

  /** Settings that name a place or a program, not a secret, though their names sound like one. */
  private static final Pattern HARMLESS =
      Pattern.compile("(file|script|path)$|_(prompt|timeout|auth_prot|priv_prot)$");

  /** A regular expression of the words that introduce a secret on a command line or in a URL. */
  public static final String WORD = "(?:pass(?:word|wd)?|pwd|token|secret|api-?key)";

  private SecretNames() {}

  /** Whether the setting's value must never be shown. */
  public static boolean isSecret(String setting) {
    var name = plain(setting);
    return name.startsWith("env.") // whatever a command's environment carries
        || NAME.matcher(name).find() && !HARMLESS.matcher(name).find();
  }

  /** Whether the setting is a secret, or says where one is. */
  public static boolean isAboutSecret(String setting) {
    return isSecret(setting) || NAME.matcher(plain(setting)).find();
  }

  private static String plain(String setting) {
    return setting.toLowerCase(Locale.ROOT).replace('-', '_');
  }
}
