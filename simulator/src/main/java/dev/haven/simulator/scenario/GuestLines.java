package dev.haven.simulator.scenario;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.StartOrder;
import dev.haven.model.AgentPing;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HealthCheck;
import dev.haven.model.HostId;
import dev.haven.model.RestartLimits;
import dev.haven.model.Rule;
import dev.haven.model.RuleText;
import dev.haven.model.config.SettingsException;
import dev.haven.model.config.YamlNode;
import dev.haven.simulator.Stage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Reads the guests of a scenario, their rules, and in which order they start. */
final class GuestLines {
  private static final int GUESTS_MAX = 100_000;

  static final String[] GUEST_KEYS = {
    "name",
    "count",
    "host",
    "memory",
    "cpus",
    "desired",
    "priority",
    "labels",
    "rules",
    "restart",
    "restarts",
    "unhealthy",
    "start-attempts"
  };
  private final Known known;

  GuestLines(Known known) {
    this.known = known;
  }

  /** The guests that a line stands for. */
  List<Stage.GuestAtFirst> read(YamlNode piece) throws SettingsException {
    var f = piece.fields(GUEST_KEYS);
    long memory = f.need("memory").mib();
    int cpus = f.or("cpus", p -> (int) p.whole(1, HostLines.CPUS_MAX), 1);
    int priority = f.or("priority", p -> (int) p.whole(-1000, 1000), 0);
    var labels = f.or("labels", YamlNode::labels, Map.<String, String>of());
    var rules = rules(f);
    var restart =
        f.or("restart", p -> p.oneOf(GuestSpec.Restart.class), GuestSpec.Restart.ANYWHERE);
    var restarts =
        f.get("restarts").isPresent()
            ? Optional.of(restarts(f.get("restarts").get()))
            : Optional.<RestartLimits>empty();
    var health = health(f);
    if (restart == GuestSpec.Restart.NEVER && health.filter(HealthCheck::restart).isPresent()) {
      throw f.need("unhealthy").wrong("a guest that is never restarted cannot be when it hangs");
    }
    int attempts =
        f.or("start-attempts", p -> (int) p.whole(1, 10), GuestSpec.DEFAULT_START_ATTEMPTS);
    boolean wanted =
        f.or("desired", p -> p.oneOf(Desired.class), Desired.RUNNING) == Desired.RUNNING;
    var host =
        f.get("host").isPresent()
            ? Optional.of(known.host(f.get("host").get()))
            : Optional.<HostId>empty();
    var lines = new ArrayList<Stage.GuestAtFirst>();
    for (var name : Known.names(f, GUESTS_MAX)) {
      var id = name.guest();
      if (!known.guestNames.add(id)) {
        throw f.need("name").wrong("there is a guest '%s' already", id);
      }
      if (known.guestNames.size() > GUESTS_MAX) {
        throw piece.wrong("there are more than %d guests", GUESTS_MAX);
      }
      lines.add(
          new Stage.GuestAtFirst(
              new GuestSpec(
                  id,
                  "uuid-" + id,
                  memory,
                  cpus,
                  priority,
                  "<domain/>",
                  labels,
                  rules,
                  restart,
                  attempts,
                  restarts,
                  health),
              wanted,
              host));
    }
    return lines;
  }

  private List<Rule> rules(YamlNode.Fields f) throws SettingsException {
    var rules = new ArrayList<Rule>();
    if (f.get("rules").isPresent()) {
      for (var rule : f.get("rules").get().items()) {
        rules.add(rule(rule));
      }
    }
    return rules;
  }

  private static Optional<HealthCheck> health(YamlNode.Fields f) throws SettingsException {
    return f.get("unhealthy").isPresent()
        ? Optional.of(
            new HealthCheck(
                Optional.of(AgentPing.DEFAULT),
                f.get("unhealthy").get().oneOf(Unhealthy.class) == Unhealthy.RESTART))
        : Optional.empty();
  }

  private static RestartLimits restarts(YamlNode piece) throws SettingsException {
    var f = piece.fields("in-place", "within", "elsewhere", "after-power-off");
    var within = f.or("within", YamlNode::time, Duration.ofMinutes(10));
    if (within.compareTo(Duration.ofSeconds(1)) < 0 || within.compareTo(Duration.ofDays(7)) > 0) {
      throw f.need("within").wrong("expected a time from 1s to 7d, found '%s'", within);
    }
    return new RestartLimits(
        f.or("in-place", p -> (int) p.whole(0, 100), 3),
        within,
        f.or("elsewhere", p -> (int) p.whole(0, 100), 2),
        f.or("after-power-off", YamlNode::yes, false));
  }

  private enum Unhealthy {
    ALARM,
    RESTART
  }

  private enum Desired {
    RUNNING,
    STOPPED
  }

  private Rule rule(YamlNode piece) throws SettingsException {
    var rule = piece.as(RuleText::parse);
    var named =
        switch (rule) {
          case Rule.OnHosts on -> on.hosts();
          case Rule.Failback back -> back.hosts();
          case Rule.After _, Rule.WithGuests _, Rule.Follows _, Rule.Partial _ -> Set.<HostId>of();
        };
    for (var host : named) {
      if (!known.hostNames.contains(host)) {
        throw piece.wrong("%s", known.noHost(host.value()));
      }
    }
    return rule;
  }

  /** A rule for several guests, by their names or labels. */
  void rule(YamlNode piece, List<Stage.GuestAtFirst> all) throws SettingsException {
    var f = piece.fields("guests", "rule");
    var whose = f.need("guests");
    var rule = rule(f.need("rule"));
    var named = new LinkedHashSet<GuestId>();
    var labels = whose.isMap() ? whose.labels() : Map.<String, String>of();
    if (!whose.isMap()) {
      for (var name : whose.oneOrMore()) {
        named.add(known.guest(name));
      }
    }
    int met = 0;
    for (int i = 0; i < all.size(); i++) {
      var g = all.get(i);
      var spec = g.spec();
      boolean meant =
          whose.isMap()
              ? spec.labels().entrySet().containsAll(labels.entrySet())
              : named.contains(spec.id());
      if (meant) {
        met++;
        all.set(i, with(g, rule));
      }
    }
    if (met == 0) {
      throw whose.wrong("no guest has these labels");
    }
  }

  /** Guests that start in this order. */
  void group(YamlNode piece, List<Stage.GuestAtFirst> all) throws SettingsException {
    var before = Optional.<GuestId>empty();
    for (var member : piece.oneOrMore()) {
      var id = known.guest(member);
      if (before.isPresent()) {
        var after = new Rule.After(Set.of(before.get()));
        all.replaceAll(g -> g.spec().id().equals(id) ? with(g, after) : g);
      }
      before = Optional.of(id);
    }
  }

  /** Nobody waits for somebody who is not there, or in the end for himself. */
  static void inOrder(YamlNode piece, List<Stage.GuestAtFirst> all) throws SettingsException {
    if (all.stream()
        .flatMap(g -> g.spec().rules().stream())
        .noneMatch(Rule.After.class::isInstance)) {
      return;
    }
    var state = ClusterState.EMPTY;
    for (var guest : all) {
      state = state.apply(new Change.GuestDescribed(guest.spec(), false));
    }
    for (var guest : all) {
      var wrong = StartOrder.wrong(state, guest.spec());
      if (wrong.isPresent()) {
        throw piece.wrong("%s", wrong.get());
      }
    }
  }

  private static Stage.GuestAtFirst with(Stage.GuestAtFirst guest, Rule rule) {
    var rules = new ArrayList<>(guest.spec().rules());
    rules.add(rule);
    return new Stage.GuestAtFirst(with(guest.spec(), rules), guest.wanted(), guest.host());
  }

  private static GuestSpec with(GuestSpec spec, List<Rule> rules) {
    return new GuestSpec(
        spec.id(),
        spec.uuid(),
        spec.memoryMib(),
        spec.vcpus(),
        spec.priority(),
        spec.domainXml(),
        spec.labels(),
        rules,
        spec.restart(),
        spec.startAttempts(),
        spec.restarts(),
        spec.health());
  }
}
