package dev.haven.cli;

import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** The tree of verbs. */
final class Verbs {
  static final List<String> ROOT =
      List.of(
          "status",
          "events",
          "incidents",
          "explain",
          "migrate",
          "relocate",
          "evacuate",
          "cordon",
          "uncordon",
          "fence",
          "pause",
          "resume",
          "guest",
          "host",
          "op",
          "voter",
          "watchdog",
          "policy",
          "init",
          "join",
          "token",
          "ca",
          "config",
          "demo",
          "lab",
          "bench",
          "simulate",
          "what-if",
          "completion");
  static final List<String> GUEST =
      List.of("list", "show", "create", "edit", "start", "stop", "remove", "explain", "console");
  static final List<String> HOST = List.of("list", "show", "add", "accept", "remove");
  static final List<String> OP = List.of("list", "show", "wait", "cancel");
  static final List<String> VOTER = List.of("list", "add", "remove", "force-alone");
  static final List<String> TOKEN = List.of("create", "list", "revoke");
  static final List<String> LAB =
      List.of(
          "up", "down", "status", "power", "hang", "cut", "split", "heal", "kill", "stop", "cont",
          "bmc", "console", "logs");
  static final List<String> BENCH =
      List.of(
          "failover",
          "pair",
          "pairs",
          "outages",
          "migrate",
          "decide",
          "raft",
          "chaos",
          "nemesis",
          "simulate",
          "mutations",
          "mutants",
          "status",
          "footprint",
          "fuzz",
          "scale");
  static final List<String> FENCE = List.of("test");
  static final List<String> WATCHDOG = List.of("test", "trust", "distrust");
  static final List<String> POLICY = List.of("list", "set");
  static final List<String> CA = List.of("init", "issue", "list", "revoke");
  static final List<String> CONFIG = List.of("check");

  /** They build hosts of Haven's own on this machine, from a checkout. */
  static final Set<String> IN_A_CHECKOUT = Set.of("demo", "lab", "bench");

  private Verbs() {}

  /** The verbs that there are here: an installed Haven has none that need its sources. */
  static List<String> root() {
    return Boolean.getBoolean("haven.installed")
        ? ROOT.stream().filter(verb -> !IN_A_CHECKOUT.contains(verb)).toList()
        : ROOT;
  }

  static CommandLine of(String name, Haven haven) {
    return switch (name) {
      case "status" -> new CommandLine(new StatusVerb(haven).spec());
      case "events" -> new CommandLine(new EventsVerb(haven));
      case "incidents" -> new CommandLine(new IncidentsVerb(haven));
      case "explain" -> new CommandLine(new GuestVerbs.Explain(haven));
      case "migrate" -> new CommandLine(new MoveVerbs.Migrate(haven));
      case "relocate" -> new CommandLine(new MoveVerbs.Relocate(haven));
      case "evacuate" -> new CommandLine(new MoveVerbs.Evacuate(haven));
      case "cordon" -> new CommandLine(new MoveVerbs.Cordon(haven));
      case "uncordon" -> new CommandLine(new MoveVerbs.Uncordon(haven));
      case "fence" -> new CommandLine(new FenceVerb(haven));
      case "pause" -> new CommandLine(new PauseVerbs.PauseVerb(haven));
      case "resume" -> new CommandLine(new PauseVerbs.ResumeVerb(haven));
      case "guest" -> new CommandLine(new VerbGroups.Guest());
      case "host" -> new CommandLine(new VerbGroups.Host());
      case "op" -> new CommandLine(new VerbGroups.Op());
      case "voter" -> new CommandLine(new VerbGroups.Voter());
      case "watchdog" -> new CommandLine(new VerbGroups.Watchdog());
      case "policy" -> new CommandLine(new VerbGroups.Policy());
      case "init" -> new CommandLine(new InitVerb(haven));
      case "join" -> new CommandLine(new JoinVerb(haven));
      case "token" -> new CommandLine(new VerbGroups.Token());
      case "ca" -> new CommandLine(new VerbGroups.Ca());
      case "config" -> new CommandLine(new VerbGroups.Config());
      case "demo" -> new CommandLine(new LabVerbs.DemoVerb(haven));
      case "lab" -> new CommandLine(new VerbGroups.Lab());
      case "bench" -> new CommandLine(new VerbGroups.Bench());
      case "simulate" -> new CommandLine(new SimulateVerb(haven));
      case "what-if" -> new CommandLine(new WhatIfVerb(haven));
      case "completion" -> new CommandLine(new CompletionVerb(haven));
      default -> throw new IllegalArgumentException("no verb " + name);
    };
  }

  private static CommandLine ofPolicy(String name, Haven haven) {
    return switch (name) {
      case "list" -> new CommandLine(new PolicyVerbs.ListAll(haven));
      case "set" -> new CommandLine(new PolicyVerbs.Set(haven));
      default -> throw new IllegalArgumentException("no verb " + name);
    };
  }

  private static CommandLine ofGuest(String name, Haven haven) {
    return switch (name) {
      case "list" -> new CommandLine(new GuestVerbs.ListAll(haven));
      case "show" -> new CommandLine(new GuestVerbs.Show(haven));
      case "create" -> new CommandLine(new GuestVerbs.Create(haven));
      case "edit" -> new CommandLine(new GuestVerbs.Edit(haven));
      case "start" -> new CommandLine(new GuestVerbs.Start(haven));
      case "stop" -> new CommandLine(new GuestVerbs.StopIt(haven));
      case "remove" -> new CommandLine(new GuestVerbs.Remove(haven));
      case "explain" -> new CommandLine(new GuestVerbs.Explain(haven));
      case "console" -> new CommandLine(new GuestVerbs.Console(haven));
      default -> throw new IllegalArgumentException("no verb " + name);
    };
  }

  private static CommandLine ofHost(String name, Haven haven) {
    return switch (name) {
      case "list" -> new CommandLine(new HostVerbs.ListAll(haven));
      case "show" -> new CommandLine(new HostVerbs.Show(haven));
      case "add" -> new CommandLine(new HostVerbs.Add(haven));
      case "accept" -> new CommandLine(new HostVerbs.Accept(haven));
      case "remove" -> new CommandLine(new HostVerbs.Remove(haven));
      default -> throw new IllegalArgumentException("no verb " + name);
    };
  }

  private static CommandLine ofOp(String name, Haven haven) {
    return switch (name) {
      case "list" -> new CommandLine(new OpVerbs.ListAll(haven));
      case "show" -> new CommandLine(new OpVerbs.Show(haven));
      case "wait" -> new CommandLine(new OpVerbs.Wait(haven));
      case "cancel" -> new CommandLine(new OpVerbs.Cancel(haven));
      default -> throw new IllegalArgumentException("no verb " + name);
    };
  }

  private static CommandLine ofVoter(String name, Haven haven) {
    return switch (name) {
      case "list" -> new CommandLine(new VoterVerbs.ListAll(haven));
      case "add" -> new CommandLine(new VoterVerbs.Add(haven));
      case "remove" -> new CommandLine(new VoterVerbs.Remove(haven));
      case "force-alone" -> new CommandLine(new VoterVerbs.ForceAloneVerb(haven));
      default -> throw new IllegalArgumentException("no verb " + name);
    };
  }

  private static CommandLine ofLab(String name, Haven haven) {
    return switch (name) {
      case "up" -> new CommandLine(new LabVerbs.Up(haven));
      case "down" -> new CommandLine(new LabVerbs.Down(haven));
      case "status" -> new CommandLine(new LabVerbs.Status(haven));
      case "power" -> new CommandLine(new LabVerbs.Power(haven));
      case "hang" -> new CommandLine(new LabVerbs.Hang(haven));
      case "cut" -> new CommandLine(new LabVerbs.Cut(haven));
      case "split" -> new CommandLine(new LabVerbs.Split(haven));
      case "heal" -> new CommandLine(new LabVerbs.Heal(haven));
      case "kill" -> new CommandLine(new LabVerbs.Kill(haven));
      case "stop" -> new CommandLine(new LabVerbs.StopDaemon(haven));
      case "cont" -> new CommandLine(new LabVerbs.Cont(haven));
      case "bmc" -> new CommandLine(new LabVerbs.Bmc(haven));
      case "console" -> new CommandLine(new LabVerbs.Console(haven));
      case "logs" -> new CommandLine(new LabVerbs.Logs(haven));
      default -> throw new IllegalArgumentException("no verb " + name);
    };
  }

  private static CommandLine ofBench(String name, Haven haven) {
    return switch (name) {
      case "failover" -> new CommandLine(new BenchLabVerbs.Failover(haven));
      case "outages" -> new CommandLine(new BenchLabVerbs.Outages(haven));
      case "pair" -> new CommandLine(new BenchLabVerbs.Pair(haven));
      case "pairs" -> new CommandLine(new BenchProofVerbs.Pairs(haven));
      case "migrate" -> new CommandLine(new BenchLabVerbs.Migrate(haven));
      case "decide" -> new CommandLine(new BenchVerbs.Decide(haven));
      case "raft" -> new CommandLine(new BenchVerbs.Raft(haven));
      case "chaos" -> new CommandLine(new BenchLabVerbs.ChaosVerb(haven));
      case "nemesis" -> new CommandLine(new BenchProofVerbs.NemesisVerb(haven));
      case "simulate" -> new CommandLine(new BenchProofVerbs.Simulate(haven));
      case "status" -> new CommandLine(new BenchVerbs.Status(haven));
      case "mutations" -> new CommandLine(new BenchMutantVerbs.Mutations(haven));
      case "mutants" -> new CommandLine(new BenchMutantVerbs.Mutants(haven));
      case "footprint" -> new CommandLine(new BenchVerbs.FootprintVerb(haven));
      case "fuzz" -> new CommandLine(new BenchProofVerbs.FuzzVerb(haven));
      case "scale" -> new CommandLine(new BenchVerbs.Scale(haven));
      default -> throw new IllegalArgumentException("no verb " + name);
    };
  }

  private static CommandLine ofFence(String name, Haven haven) {
    return switch (name) {
      case "test" -> new CommandLine(new FenceTestVerb(haven));
      default -> throw new IllegalArgumentException("no verb " + name);
    };
  }

  private static CommandLine ofWatchdog(String name, Haven haven) {
    return switch (name) {
      case "test" -> new CommandLine(new WatchdogVerbs.Test(haven));
      case "trust" -> new CommandLine(new WatchdogVerbs.Trust(haven));
      case "distrust" -> new CommandLine(new WatchdogVerbs.Distrust(haven));
      default -> throw new IllegalArgumentException("no verb " + name);
    };
  }

  private static CommandLine ofToken(String name, Haven haven) {
    return switch (name) {
      case "create" -> new CommandLine(new TokenVerbs.Create(haven));
      case "list" -> new CommandLine(new TokenVerbs.ListAll(haven));
      case "revoke" -> new CommandLine(new TokenVerbs.Revoke(haven));
      default -> throw new IllegalArgumentException("no verb " + name);
    };
  }

  private static CommandLine ofConfig(String name, Haven haven) {
    return switch (name) {
      case "check" -> new CommandLine(new ConfigCheckVerb(haven));
      default -> throw new IllegalArgumentException("no verb " + name);
    };
  }

  private static CommandLine ofCa(String name, Haven haven) {
    return switch (name) {
      case "init" -> new CommandLine(new CaVerbs.Init(haven));
      case "issue" -> new CommandLine(new CaVerbs.Issue(haven));
      case "list" -> new CommandLine(new CaVerbs.ListAll(haven));
      case "revoke" -> new CommandLine(new CaVerbs.Revoke(haven));
      default -> throw new IllegalArgumentException("no verb " + name);
    };
  }

  /**
   * Adds the verb that comes first in {@code words}, or all of them if that is none: for help, and
   * to suggest the one that was meant.
   */
  static void add(
      CommandLine parent,
      Haven haven,
      List<String> names,
      BiFunction<String, Haven, CommandLine> make,
      List<String> words) {
    var named = !words.isEmpty() && names.contains(words.getFirst());
    var rest = named ? words.subList(1, words.size()) : List.<String>of();
    for (var name : named ? List.of(words.getFirst()) : names) {
      var line = make.apply(name, haven);
      line.getCommandSpec().addOption(help());
      dress(line.getCommandSpec());
      switch (name) {
        case "guest" -> add(line, haven, GUEST, Verbs::ofGuest, rest);
        case "host" -> add(line, haven, HOST, Verbs::ofHost, rest);
        case "op" -> add(line, haven, OP, Verbs::ofOp, rest);
        case "voter" -> add(line, haven, VOTER, Verbs::ofVoter, rest);
        case "fence" -> add(line, haven, FENCE, Verbs::ofFence, rest);
        case "watchdog" -> add(line, haven, WATCHDOG, Verbs::ofWatchdog, rest);
        case "policy" -> add(line, haven, POLICY, Verbs::ofPolicy, rest);
        case "token" -> add(line, haven, TOKEN, Verbs::ofToken, rest);
        case "ca" -> add(line, haven, CA, Verbs::ofCa, rest);
        case "config" -> add(line, haven, CONFIG, Verbs::ofConfig, rest);
        case "lab" -> add(line, haven, LAB, Verbs::ofLab, rest);
        case "bench" -> add(line, haven, BENCH, Verbs::ofBench, rest);
        default -> {}
      }
      parent.addSubcommand(name, line);
    }
  }

  /** As an option of each verb; {@code --version} belongs to the root alone. */
  private static OptionSpec help() {
    return Haven.flag("-h", "--help").usageHelp(true).description("Show this help.").build();
  }

  static void dress(CommandSpec spec) {
    var usage = spec.usageMessage();
    usage
        .sortOptions(false)
        .abbreviateSynopsis(true)
        .synopsisSubcommandLabel("COMMAND")
        .descriptionHeading("%n")
        .parameterListHeading("%nParameters:%n")
        .optionListHeading("%nOptions:%n")
        .commandListHeading("%nCommands:%n")
        .footerHeading("%n");
    var footer = usage.footer();
    if (footer.length > 0) { // picocli ends the last line without a newline
      var ended = Arrays.copyOf(footer, footer.length + 1);
      ended[footer.length] = "";
      usage.footer(ended);
    }
  }
}
