package dev.haven.tls;

import java.io.IOException;
import java.nio.file.Path;

/** What a daemon does at start; run with a class path without the CA's libraries. */
final class LoadsContext {
  private LoadsContext() {}

  public static void main(String[] args) throws IOException {
    var dir = Path.of(args[0]);
    System.out.println(
        TlsContext.load(dir.resolve("ca/ca.pem"), dir.resolve("a.pem"), dir.resolve("a.key"))
            .getProtocol());
  }
}
