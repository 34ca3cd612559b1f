package dev.haven.orchestrator.http;

import java.time.Duration;

/** How much somebody may do: an amount at once, which comes back at an even pace. */
public final class Allowance {
  private final double perNano;
  private final double most;
  private double left;
  private long at;

  /**
   * @param perSecond how much comes back in a second
   * @param most how much there is at once, and after a rest
   * @param now as of {@link System#nanoTime}
   */
  public Allowance(double perSecond, double most, long now) {
    this.perNano = perSecond / 1e9;
    this.most = most;
    this.left = most;
    this.at = now;
  }

  /** Takes that much, and says how long to wait before it is used; zero while there is enough. */
  synchronized Duration take(double amount, long now) {
    left = Math.min(most, left + (now - at) * perNano) - amount;
    at = now;
    return left >= 0 ? Duration.ZERO : Duration.ofNanos((long) (-left / perNano));
  }

  /** Takes that much if there is enough; else nothing, and says so. */
  public synchronized boolean tryTake(double amount, long now) {
    left = Math.min(most, left + (now - at) * perNano);
    at = now;
    if (left < amount) {
      return false;
    }
    left -= amount;
    return true;
  }
}
