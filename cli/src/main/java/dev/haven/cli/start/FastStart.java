package dev.haven.cli.start;

import java.util.Map;

/** The one switch of this package. */
public final class FastStart {
  /** {@code off} in it turns everything of this package off; ./haven then takes no AOT cache. */
  public static final String VARIABLE = "HAVEN_FAST_START";

  private FastStart() {}

  public static boolean isOn(Map<String, String> environment) {
    return !"off".equals(environment.get(VARIABLE));
  }
}
