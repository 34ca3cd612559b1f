package dev.haven.cli;

import java.io.IOException;

/** Other programs, in our place on the terminal. */
record Programs(Haven haven) {
  Exit run(String... command) {
    haven.around.out().flush();
    try {
      int exit = new ProcessBuilder(command).inheritIO().start().waitFor();
      return exit == 0 ? Exit.OK : Exit.FAILED;
    } catch (IOException e) {
      throw new Stop(
          Exit.FAILED,
          "%s cannot be run (%s); is it installed?".formatted(command[0], e.getMessage()));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Stop(Exit.INTERRUPTED, "interrupted");
    }
  }
}
