package dev.haven.orchestrator.detect;

import dev.haven.core.ha.Event;
import dev.haven.core.lead.Cut;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.orchestrator.port.PowerDevices;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** Power devices that always say the same, and switch nothing. */
record DevicesThatSay(Event.Power power, String why) implements PowerDevices {
  @Override
  public List<String> mistakes(HostSpec spec) {
    return List.of();
  }

  @Override
  public Look look(HostId host, HostSpec spec, Duration within) {
    return new Look(power, why);
  }

  @Override
  public Cut cut(HostId host, HostSpec spec, Map<String, String> others, Duration within) {
    return new Cut.Failed(why);
  }

  @Override
  public String on(HostId host, HostSpec spec, Map<String, String> others, Duration within) {
    return why;
  }

  @Override
  public List<Health> check(
      HostId host, HostSpec spec, Map<String, String> others, Duration within) {
    return List.of();
  }
}
