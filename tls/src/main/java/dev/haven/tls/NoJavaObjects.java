package dev.haven.tls;

import java.io.ObjectInputFilter;

/**
 * Haven reads no serialized Java objects, wherever they come from. Each {@code main} says so first,
 * so that no library reads any before another one has thought of it.
 */
public final class NoJavaObjects {
  private NoJavaObjects() {}

  /** For the whole process, for good; harmless if the command line has said so already. */
  public static void areRead() {
    if (ObjectInputFilter.Config.getSerialFilter() == null) {
      ObjectInputFilter.Config.setSerialFilter(ObjectInputFilter.Config.createFilter("!*"));
    }
  }
}
