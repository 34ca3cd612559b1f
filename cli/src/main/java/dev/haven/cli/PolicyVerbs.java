package dev.haven.cli;

import dev.haven.model.api.Command.SetPolicy;
import dev.haven.model.api.Views;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code haven policy}: what holds for the whole cluster. */
final class PolicyVerbs {
  private PolicyVerbs() {}

  @Command(name = "list", description = "Lists all settings of the cluster, with their values.")
  static final class ListAll extends Verb {
    ListAll(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var policy = haven.cluster().get("/v1/export", Views.Export.class).policy();
      if (!haven.forPeople()) {
        haven.printData(policy);
      } else {
        policy.forEach(this::fact);
      }
      return Exit.OK;
    }
  }

  @Command(
      name = "set",
      description = {
        "Changes one setting of the cluster.",
        "",
        "stuck-destroy: fence | alarm. What follows if libvirt cannot end a guest within 60 s that"
            + " is to run elsewhere. fence (the default) migrates the other guests off its host"
            + " and then fences the host; alarm only raises an alarm.",
        "",
        "broken-rules: off | advise | mend. What is done about strict rules that are broken while"
            + " their guests run. advise (the default) raises an alarm that names the way out; mend"
            + " migrates guests where that mends it.",
        "",
        "make-room: off | migrate | stop. What is done to less important guests for one that fits"
            + " nowhere. migrate (the default) migrates them to where they fit too; stop stops"
            + " them where that is not enough, and they start again when there is room."
      },
      footer = {"Example:", "  haven policy set stuck-destroy alarm"})
  static final class Set extends Verb.Changing {
    @Parameters(
        index = "0",
        paramLabel = "SETTING",
        description = "The name of the setting, as above.")
    String setting = "";

    @Parameters(index = "1", paramLabel = "VALUE", description = "One of its values, as above.")
    String value = "";

    Set(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new SetPolicy(setting, value));
    }
  }
}
