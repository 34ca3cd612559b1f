package dev.haven.core.ha;

import dev.haven.model.RequestId;
import dev.haven.model.api.Reply;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.pcollections.HashTreePMap;
import org.pcollections.PMap;
import org.pcollections.PVector;
import org.pcollections.TreePVector;

/** The last answers to requests, so that one that is sent again is answered and not done again. */
final class AnsweredRequests {
  /** A client repeats within seconds, not after thousands of others. */
  static final int KEPT = 2_000;

  static final AnsweredRequests EMPTY =
      new AnsweredRequests(HashTreePMap.empty(), TreePVector.empty());

  private final PMap<RequestId, Reply> replies;
  private final PVector<RequestId> order;

  private AnsweredRequests(PMap<RequestId, Reply> replies, PVector<RequestId> order) {
    this.replies = replies;
    this.order = order;
  }

  Optional<Reply> to(RequestId request) {
    return Optional.ofNullable(replies.get(request));
  }

  /** The requests that have an answer, the oldest first. */
  List<RequestId> requests() {
    return order;
  }

  /** The answer to one of the {@link #requests}. */
  Reply need(RequestId request) {
    return Objects.requireNonNull(replies.get(request));
  }

  AnsweredRequests with(RequestId request, Reply reply) {
    var all = replies.plus(request, reply);
    var requests = order.plus(request);
    while (requests.size() > KEPT) {
      all = all.minus(requests.get(0));
      requests = requests.minus(0);
    }
    return new AnsweredRequests(all, requests);
  }
}
