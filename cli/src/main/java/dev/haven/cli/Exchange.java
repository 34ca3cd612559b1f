package dev.haven.cli;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;

/** One request to one voter, whose answer has begun. */
interface Exchange extends Closeable {
  int status();

  /** May be read once. */
  InputStream body() throws IOException;

  /**
   * @param millis how long each read of the body may take from now on
   */
  void patience(long millis);
}
