package dev.haven.orchestrator;

import dev.haven.core.ha.ClusterState;
import java.lang.ref.WeakReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What follows from a state alone and takes long to reckon: reckoned once, however many ask, and
 * kept until somebody asks about another state. Others who ask meanwhile wait for the same answer.
 */
final class OncePerState<T> {
  private final Function<ClusterState, T> reckon;
  private @Nullable Known<T> known;

  /**
   * @param state held weakly: what nobody asks about any more is not kept
   */
  private record Known<T>(WeakReference<ClusterState> state, T answer) {}

  /**
   * @param reckon of the state alone: no clock, and nothing that only this voter knows
   */
  OncePerState(Function<ClusterState, T> reckon) {
    this.reckon = reckon;
  }

  synchronized T of(ClusterState state) {
    var last = known;
    if (last != null && last.state().refersTo(state)) {
      return last.answer();
    }
    var answer = reckon.apply(state);
    known = new Known<>(new WeakReference<>(state), answer);
    return answer;
  }
}
