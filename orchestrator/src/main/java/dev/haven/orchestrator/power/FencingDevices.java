package dev.haven.orchestrator.power;

import dev.haven.core.ha.Event;
import dev.haven.core.ha.Pill;
import dev.haven.core.lead.Cut;
import dev.haven.fencing.DeviceHealth;
import dev.haven.fencing.DeviceIdentity;
import dev.haven.fencing.DeviceSpec;
import dev.haven.fencing.EvidenceReading;
import dev.haven.fencing.Fencer;
import dev.haven.fencing.FencingListener;
import dev.haven.fencing.FencingOutcome;
import dev.haven.fencing.FencingPlan;
import dev.haven.fencing.FencingStep;
import dev.haven.fencing.FencingTarget;
import dev.haven.fencing.Level;
import dev.haven.fencing.PowerOnOutcome;
import dev.haven.fencing.PowerReading;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Time;
import dev.haven.orchestrator.port.PowerDevices;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;

/** The power devices of the hosts through the fencing library. */
public final class FencingDevices implements PowerDevices {
  private final Fencer fencer;
  private final Secrets secrets;
  private final Time time;

  /** What the log holds sealed of the devices' settings. */
  public interface Secrets {
    /** The settings to use a device with. */
    Map<String, String> open(HostId host, FencingDevice device);

    /** Whether a secret of the device stands in the log as it was written. */
    boolean plain(FencingDevice device);
  }

  /**
   * @param time that of the fencer; {@link Cut.Off#began} is a time on its clock
   */
  public FencingDevices(Fencer fencer, Secrets secrets, Time time) {
    this.fencer = fencer;
    this.secrets = secrets;
    this.time = time;
  }

  private FencingPlan plan(HostSpec spec) {
    return new FencingPlan(
        spec.fencing().stream()
            .map(
                level ->
                    new Level(
                        level.stream()
                            .map(
                                d -> new DeviceSpec(d.name(), d.kind(), secrets.open(spec.id(), d)))
                            .toList()))
            .toList());
  }

  @Override
  public List<String> mistakes(HostSpec spec) {
    try {
      return fencer.problems(plan(spec));
    } catch (IllegalArgumentException e) {
      return List.of(String.valueOf(e.getMessage()));
    }
  }

  @Override
  public Look look(HostId host, HostSpec spec, Duration within) {
    if (spec.fencing().isEmpty()) {
      return new Look(Event.Power.NO_DEVICE, "it has no power device");
    }
    var reading = fencer.readAll(plan(spec), within);
    return switch (reading) {
      case EvidenceReading.PowerOff r ->
          new Look(
              Event.Power.ALL_OFF,
              words(r.readings()),
              spec.fencing().get(r.level() - 1).stream().map(FencingDevice::name).toList());
      case EvidenceReading.PowerOn r -> new Look(Event.Power.ON, words(r.readings()));
      case EvidenceReading.Unclear r -> new Look(Event.Power.UNREACHABLE, words(r.readings()));
    };
  }

  private static String words(List<PowerReading> readings) {
    return String.join(
        ", ",
        readings.stream()
            .map(
                r ->
                    switch (r) {
                      case PowerReading.On on -> on.device() + " says on";
                      case PowerReading.Off off -> off.device() + " says off";
                      case PowerReading.Unknown u -> u.device() + " does not say: " + u.reason();
                    })
            .distinct()
            .toList());
  }

  @Override
  public Cut cut(HostId host, HostSpec spec, Map<String, String> others, Duration within) {
    var heard = new Heard();
    var outcome =
        fencer.powerOff(
            new FencingTarget(host.value(), spec.uuid(), others), plan(spec), within, heard);
    return switch (outcome) {
      case FencingOutcome.Confirmed c -> heard.off(c);
      case FencingOutcome.Poisoned p ->
          new Cut.Poisoned(
              new Pill(p.slot(), p.disks(), p.ids(), p.waited()),
              time.nanos(),
              new TreeMap<>(heard.times));
      case FencingOutcome.Failed f ->
          new Cut.Failed(reasons(f.reasons()), level(spec, heard.saidOff));
      case FencingOutcome.NeedsOperator n ->
          new Cut.Failed(
              reasons(n.reasons())
                  + (n.reasons().isEmpty() ? "" : "; ")
                  + "an operator is needed: "
                  + reasons(n.instructions()),
              level(spec, heard.saidOff));
    };
  }

  /** The steps of one fence. */
  private final class Heard implements FencingListener {
    /**
     * The last moment, for each device, at which it was known not to be read off yet: what reads
     * off after it began after it.
     */
    private final Map<String, Long> notYet = new ConcurrentHashMap<>();

    private final Map<String, Instant> times = new ConcurrentHashMap<>();
    private final Set<String> saidOff = ConcurrentHashMap.newKeySet();
    private final long begun = time.nanos();

    @Override
    public void heard(FencingStep step) {
      switch (step.kind()) {
        case OFF_ACCEPTED, ALREADY_OFF -> notYet.put(step.device(), time.nanos());
        case STILL_ON -> {
          notYet.put(step.device(), time.nanos());
          saidOff.remove(step.device());
        }
        case OFF_SENT -> times.put("off-sent", step.at());
        case READ_OFF_1 -> {
          times.put("off-read-1", step.at());
          saidOff.add(step.device());
        }
        case READ_OFF_2 -> times.put("off-read-2", step.at());
        case POISONED -> times.put("poisoned", step.at());
        case LEVEL_DELAYED,
            LEVEL_BEGAN,
            OFF_FAILED,
            READ_FAILED,
            WRONG_HOST,
            NEEDS_OPERATOR,
            LEVEL_CONFIRMED,
            LEVEL_FAILED,
            ON_SENT,
            ON_ACCEPTED,
            ON_FAILED,
            READ_ON -> {}
      }
    }

    Cut off(FencingOutcome.Confirmed c) {
      var wrong = devices(c, DeviceIdentity.Different.class);
      if (!wrong.isEmpty()) {
        return new Cut.Failed("device %s is another machine's".formatted(String.join(", ", wrong)));
      }
      long began =
          c.readings().stream()
              .mapToLong(r -> notYet.getOrDefault(r.device(), begun))
              .min()
              .orElse(begun);
      return new Cut.Off(
          c.readings().stream()
              .map(r -> r.device() + " said off (" + r.evidence().strip() + ")")
              .distinct()
              .toList(),
          began,
          devices(c, DeviceIdentity.Unknown.class),
          new TreeMap<>(times));
    }

    private static List<String> devices(
        FencingOutcome.Confirmed c, Class<? extends DeviceIdentity> identity) {
      return c.identities().entrySet().stream()
          .filter(i -> identity.isInstance(i.getValue()))
          .map(Map.Entry::getKey)
          .sorted()
          .toList();
    }
  }

  /** The first level of which every device is among these, from 1. */
  private static OptionalInt level(HostSpec spec, Set<String> devices) {
    return IntStream.range(0, spec.fencing().size())
        .filter(
            i ->
                spec.fencing().get(i).stream().map(FencingDevice::name).allMatch(devices::contains))
        .map(i -> i + 1)
        .findFirst();
  }

  private static String warnings(DeviceHealth health, boolean plain) {
    var all = new ArrayList<>(health.warnings());
    if (plain) {
      all.add(
          health.device()
              + " has a password that stands as it was written in the log of every voter; give it"
              + " as passwordFile, or set secretsKey on every voter and add the host again");
    }
    return String.join("; ", all);
  }

  private static boolean switches(HostSpec spec, String device) {
    return spec.fencing().stream()
        .flatMap(List::stream)
        .anyMatch(
            d -> d.name().equals(device) && !d.kind().equals("sbd") && !d.kind().equals("manual"));
  }

  private static String reasons(Map<String, String> reasons) {
    var parts = new ArrayList<String>();
    new TreeMap<>(reasons).forEach((device, why) -> parts.add(device + ": " + why));
    return String.join("; ", parts);
  }

  @Override
  public String on(HostId host, HostSpec spec, Map<String, String> others, Duration within) {
    return switch (fencer.powerOn(
        new FencingTarget(host.value(), spec.uuid(), others),
        plan(spec),
        within,
        FencingListener.NONE)) {
      case PowerOnOutcome.On _ -> "";
      case PowerOnOutcome.Failed f -> reasons(f.reasons());
    };
  }

  @Override
  public List<Health> check(
      HostId host, HostSpec spec, Map<String, String> others, Duration within) {
    var plain =
        spec.fencing().stream()
            .flatMap(List::stream)
            .filter(secrets::plain)
            .map(FencingDevice::name)
            .toList();
    return fencer
        .check(new FencingTarget(host.value(), spec.uuid(), others), plan(spec), within)
        .stream()
        .map(
            h ->
                new Health(
                    h.device(),
                    h.power() instanceof PowerReading.Off,
                    h.usable()
                        ? warnings(h, plain.contains(h.device()))
                        : h.sentence() + (h.wayOut().isEmpty() ? "" : "; " + h.wayOut()),
                    !h.usable(),
                    h.usable()
                        && h.identity() instanceof DeviceIdentity.Unknown
                        && switches(spec, h.device()),
                    h.sentence(),
                    h.behaviour()))
        .toList();
  }
}
