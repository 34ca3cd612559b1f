package dev.haven.cli;

import dev.haven.model.Json;
import dev.haven.model.api.Views;
import java.security.GeneralSecurityException;
import java.security.KeyPairGenerator;
import java.security.Security;
import java.security.spec.ECGenParameterSpec;
import java.util.Collections;
import java.util.List;
import java.util.Set;

/**
 * What takes long in a TLS request of a young JVM and depends on no argument: done on another
 * processor while the command line and the settings are read. docs/cli.md has the figures.
 */
final class HeadStart {
  private static final Set<String> NO_REQUEST =
      Set.of("--help", "-h", "--version", "-V", "ca", "completion", "lab", "bench", "demo");

  private HeadStart() {}

  /** Call it before anything else; for this process only, so not in a test. */
  static void prepare(String[] args) {
    // "jdkCA" makes the JDK parse all public authorities, 30 ms, to see whether ours is one of
    // them.
    // Without the word its limits hold for any authority.
    var limits = "jdk.certpath.disabledAlgorithms";
    Security.setProperty(limits, Security.getProperty(limits).replace("jdkCA & ", ""));
    if (args.length > 0 && Collections.disjoint(NO_REQUEST, List.of(args))) {
      Thread.ofPlatform().daemon().name("head-start").start(HeadStart::run);
    }
  }

  private static void run() {
    try {
      var keys = KeyPairGenerator.getInstance("EC");
      keys.initialize(new ECGenParameterSpec("secp256r1"));
      keys.generateKeyPair(); // computes tables of this curve, 60 ms, which every handshake needs
    } catch (GeneralSecurityException e) {
      return; // the handshake says what is wrong
    }
    Json.mapper().readerFor(Views.Status.class); // finds out how, and keeps that
  }
}
