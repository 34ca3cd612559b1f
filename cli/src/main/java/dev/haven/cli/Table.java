package dev.haven.cli;

import dev.haven.model.PlainText;
import java.util.ArrayList;
import java.util.List;

/**
 * Aligned columns that fit a width: what is too long is cut in the last column first, and marked.
 */
final class Table {
  private static final String GAP = "  ";
  private static final int NARROWEST = 8;

  private final List<String> titles = new ArrayList<>();
  private final List<Boolean> right = new ArrayList<>();
  private final List<List<Cell>> rows = new ArrayList<>();

  /**
   * @param style picocli's markup for it, such as {@code red}; empty for none
   */
  record Cell(String text, String style) {
    Cell {
      text = PlainText.lines(text);
    }
  }

  static Cell cell(Object text) {
    return new Cell(String.valueOf(text), "");
  }

  Table column(String title) {
    titles.add(title);
    right.add(false);
    return this;
  }

  /** A column of numbers. */
  Table number(String title) {
    titles.add(title);
    right.add(true);
    return this;
  }

  void row(Object... cells) {
    var row = new ArrayList<Cell>();
    for (var cell : cells) {
      row.add(cell instanceof Cell c ? c : cell(cell));
    }
    if (row.size() != titles.size()) {
      throw new IllegalArgumentException(row.size() + " cells for " + titles.size() + " columns");
    }
    rows.add(row);
  }

  boolean isEmpty() {
    return rows.isEmpty();
  }

  List<String> render(int width, Paint paint) {
    var widths = fit(width);
    var lines = new ArrayList<String>();
    var header = new StringBuilder();
    for (int i = 0; i < titles.size(); i++) {
      append(header, new Cell(titles.get(i), "bold"), i, widths, paint);
    }
    lines.add(header.toString());
    for (var row : rows) {
      var line = new StringBuilder();
      for (int i = 0; i < row.size(); i++) {
        append(line, row.get(i), i, widths, paint);
      }
      lines.add(line.toString());
    }
    return lines;
  }

  private int[] fit(int width) {
    var widths = new int[titles.size()];
    int total = GAP.length() * (widths.length - 1);
    for (int i = 0; i < widths.length; i++) {
      widths[i] = titles.get(i).length();
      for (var row : rows) {
        widths[i] = Math.max(widths[i], row.get(i).text().length());
      }
      total += widths[i];
    }
    for (int i = widths.length - 1; i >= 0 && total > width; i--) {
      if (!right.get(i)) {
        int least = Math.max(NARROWEST, titles.get(i).length());
        int cut = Math.min(total - width, Math.max(0, widths[i] - least));
        widths[i] -= cut;
        total -= cut;
      }
    }
    return widths;
  }

  private void append(StringBuilder line, Cell cell, int column, int[] widths, Paint paint) {
    int width = widths[column];
    var text = cell.text().replace('\n', ' ');
    if (text.length() > width) {
      text = text.substring(0, width - 1) + "…";
    }
    var pad = " ".repeat(width - text.length());
    var painted = paint.of(cell.style(), text);
    boolean last = column == widths.length - 1;
    if (right.get(column)) {
      line.append(pad).append(painted);
    } else {
      line.append(painted).append(last ? "" : pad);
    }
    if (!last) {
      line.append(GAP);
    } else {
      while (!line.isEmpty() && line.charAt(line.length() - 1) == ' ') {
        line.setLength(line.length() - 1);
      }
    }
  }
}
