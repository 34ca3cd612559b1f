package dev.haven.orchestrator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.logging.Level;
import java.util.logging.LogRecord;
import org.junit.jupiter.api.Test;

class LogLinesTest {
  @Test
  void nobodyForgesALineOrReachesTheTerminalOfWhoReadsTheLog() {
    var entry = new LogRecord(Level.INFO, "host a says: {0}");
    entry.setParameters(new Object[] {"x\n2026-11-29T12:00:00.000 INFO root removed b\u001b[2J"});
    entry.setThrown(new IllegalStateException("device: \u001b]0;x\u0007\nINFO forged"));
    var lines = new LogLines().format(entry).lines().toList();
    assertThat(lines.getFirst()).contains("host a says: x\\u000a2026-11-29").contains("\\u001b[2J");
    assertThat(lines.subList(1, lines.size()))
        .isNotEmpty()
        .allMatch(line -> line.startsWith("    "))
        .noneMatch(line -> line.contains("\u001b") || line.contains("\u0007"));
  }
}
