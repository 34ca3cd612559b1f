package dev.haven.fencing;

/** Hears each step of a fence as it happens, from several threads; must return at once. */
@FunctionalInterface
public interface FencingListener {
  FencingListener NONE = step -> {};

  void heard(FencingStep step);
}
