package dev.haven.orchestrator.http;

import dev.haven.model.GuestSpec;
import dev.haven.model.api.Command;
import dev.haven.model.api.Views;
import java.util.regex.Pattern;

/**
 * Passwords in a guest's XML are shown only to an operator who asks for them, as libvirt itself
 * does.
 */
final class Redaction {
  /** Stands where a password was. */
  static final String HIDDEN = "(hidden)";

  private static final Pattern SECRET =
      Pattern.compile("(?i)(\\b(?:passwd|password|secret|token)\\s*=\\s*)(?:'[^']*'|\"[^\"]*\")");

  private Redaction() {}

  static Views.GuestDetail of(Views.GuestDetail guest) {
    return new Views.GuestDetail(guest.guest(), of(guest.spec()), guest.holders(), guest.health());
  }

  static Views.Export of(Views.Export all) {
    return new Views.Export(
        all.voters(), all.policy(), all.hosts(), all.guests().stream().map(Redaction::of).toList());
  }

  private static GuestSpec of(GuestSpec spec) {
    return spec.describedBy(xml(spec.domainXml()));
  }

  static String xml(String xml) {
    return SECRET.matcher(xml).replaceAll("$1'" + HIDDEN + "'");
  }

  /** Whether a guest would get what stands in place of a password. */
  static boolean wouldBeWritten(Command command) {
    return command instanceof Command.DescribesGuest c && isHidden(c.guest().domainXml());
  }

  /** In either quotes: an editor of XML writes those that it likes. */
  private static boolean isHidden(String xml) {
    return xml.contains("'" + HIDDEN + "'") || xml.contains('"' + HIDDEN + '"');
  }
}
