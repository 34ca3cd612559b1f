package dev.haven.cli.start;

import dev.haven.model.Json;
import java.security.GeneralSecurityException;
import java.security.KeyPairGenerator;
import java.security.Security;
import java.security.spec.ECGenParameterSpec;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;

/**
 * What takes long in a TLS request of a young JVM and depends on no argument: done on another
 * processor while the command line and the settings are read. docs/cli.md has the figures.
 */
public final class HeadStart {
  private static final Set<String> NO_REQUEST =
      Set.of("--help", "-h", "--version", "-V", "ca", "completion", "lab", "bench", "demo");

  private HeadStart() {}

  /**
   * Call it before anything else; for this process only, so not in a test.
   *
   * @param asksThisMachine whether these arguments lead to a voter's socket, which needs no TLS
   * @param status does once what a status needs, with nothing in it
   */
  public static void prepare(String[] args, BooleanSupplier asksThisMachine, Runnable status) {
    // a method handle for each constructor and field would pay off only after hundreds of calls
    System.setProperty("jdk.reflect.useNativeAccessorOnly", "true");
    // without this the client makes a key of each of two families, and needs the other one's code;
    // our certificates are of this one
    System.setProperty("jdk.tls.namedGroups", "secp256r1,secp384r1,secp521r1");
    if (args.length > 0 && Collections.disjoint(NO_REQUEST, List.of(args))) {
      var thread = new Thread(() -> run(args, asksThisMachine, status), "head-start");
      thread.setDaemon(true);
      thread.start();
    }
    // "jdkCA" makes the JDK parse all public authorities, 30 ms, to see whether ours is one of
    // them.
    // Without the word its limits hold for any authority.
    var limits = "jdk.certpath.disabledAlgorithms";
    Security.setProperty(limits, Security.getProperty(limits).replace("jdkCA & ", ""));
  }

  private static void run(String[] args, BooleanSupplier asksThisMachine, Runnable status) {
    try {
      if (asksThisMachine.getAsBoolean()) {
        status.run();
        return;
      }
      // named, because to look for a provider takes longer than the key
      var keys = KeyPairGenerator.getInstance("EC", "SunEC");
      keys.initialize(new ECGenParameterSpec("secp256r1"));
      keys.generateKeyPair(); // computes tables of this curve, 60 ms, which every handshake needs
    } catch (GeneralSecurityException e) {
      return; // the handshake says what is wrong
    }
    if (List.of(args).contains("status")) {
      status.run();
    } else {
      Json.mapper();
    }
  }
}
