package dev.haven.model;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PlainTextTest {
  @Test
  void whatMovesACursorOrForgesALineIsWrittenAsItsNumber() {
    assertThat(PlainText.line("a\u001b[2Jb\nc\rd\u009be\u007ff\u202eg\0"))
        .isEqualTo("a\\u001b[2Jb\\u000ac\\u000dd\\u009be\\u007ff\\u202eg\\u0000");
    assertThat(PlainText.lines("a\n\tb\r\u001b")).isEqualTo("a\n\tb\\u000d\\u001b");
    assertThat(PlainText.line("Größe 5 €, 東京 🙂")).isEqualTo("Größe 5 €, 東京 🙂");
  }
}
