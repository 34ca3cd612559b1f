package dev.haven.orchestrator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.model.Definition;
import dev.haven.model.GuestSpec;
import dev.haven.model.MachineTypes;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.orchestrator.detect.FailureDetector;
import dev.haven.raft.port.ReplicatedLog;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/** What is added to a command before it comes near the log: seals, machine types, what is known. */
final class CommandFront {
  private final Supplier<ClusterState> state;
  private final WorldEffects effects;
  private final FailureDetector detector;
  private final SealedSecrets secrets;

  CommandFront(
      Supplier<ClusterState> state,
      WorldEffects effects,
      FailureDetector detector,
      SealedSecrets secrets) {
    this.state = state;
    this.effects = effects;
    this.detector = detector;
    this.secrets = secrets;
  }

  /**
   * Of the guest that is described, with what hosts find its disks to be.
   *
   * @throws IllegalArgumentException if its domain XML cannot be read
   */
  CompletableFuture<Optional<Definition>> definition(CommandRequest request, Command command) {
    boolean answered = state.get().answer(request.request()).isPresent(); // it is a repeat
    if (answered || !(command instanceof Command.DescribesGuest described)) {
      return CompletableFuture.completedFuture(Optional.empty());
    }
    Definition read;
    try {
      read = Definition.read(described.guest().domainXml());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "guest %s: %s".formatted(described.guest().id(), e.getMessage()), e);
    }
    return effects.lookAtDisks(read).thenApply(Optional::of);
  }

  /**
   * A guest keeps the machine for which it was installed: the alias in its domain XML gives way to
   * the type that it had, or else to the newest one that every host offers.
   *
   * @throws IllegalArgumentException if no host offers the type that it names, or hosts have none
   *     in common
   */
  Command pinned(Command command) {
    return command instanceof Command.DescribesGuest c ? c.of(pinned(c.guest())) : command;
  }

  private GuestSpec pinned(GuestSpec spec) {
    var machine = Definition.ofAny(spec.domainXml()).machine();
    var offered =
        state.get().hosts().stream()
            .flatMap(h -> h.capacity().machines().stream())
            .filter(m -> !m.isEmpty())
            .toList();
    if (machine.isEmpty() || offered.isEmpty()) {
      return spec.with(spec.domainXml(), machine.filter(m -> !MachineTypes.isAlias(m)));
    }
    var named = machine.get();
    if (!MachineTypes.isAlias(named)) {
      if (offered.stream().noneMatch(m -> m.contains(named))) {
        throw new IllegalArgumentException(
            "guest %s: no host offers the machine type %s; name one that haven host show shows, or an alias such as q35"
                .formatted(spec.id(), named));
      }
      return spec.with(spec.domainXml(), machine);
    }
    var before = state.get().definition(spec.id()).machine();
    var to =
        before
            .filter(b -> MachineTypes.pinned(named, List.of(List.of(b))).isPresent())
            .or(() -> MachineTypes.pinned(named, offered))
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "guest %s: its machine type %s is another one on each host, and they have none in common; name a versioned one and the hosts that offer it"
                            .formatted(spec.id(), named)));
    return spec.with(MachineTypes.replaced(spec.domainXml(), named, to), Optional.of(to));
  }

  /** Before it comes near the log. */
  Command sealed(Command command) {
    return command instanceof Command.AddHost c
        ? new Command.AddHost(secrets.seal(c.host()))
        : command;
  }

  /** Only a declaration of death needs to know what is known of the host. */
  CompletableFuture<Event.Outlook> outlook(CommandRequest request) {
    boolean answered = state.get().answer(request.request()).isPresent(); // it is a repeat
    if (answered || !(request.command() instanceof Command.ConfirmDead c)) {
      return CompletableFuture.completedFuture(Event.Outlook.NONE);
    }
    var host = state.get().host(c.host());
    if (host.isEmpty()) {
      return CompletableFuture.completedFuture(Event.Outlook.NONE);
    }
    var found = new CompletableFuture<Event.Outlook>();
    Thread.ofVirtual()
        .name("outlook-" + c.host())
        .start(
            () -> {
              try {
                found.complete(detector.outlook(host.get()));
              } catch (InterruptedException | RuntimeException e) {
                found.completeExceptionally(
                    new ReplicatedLog.Refused(
                        "host " + c.host() + " could not be looked at: " + e));
              }
            });
    return found;
  }
}
