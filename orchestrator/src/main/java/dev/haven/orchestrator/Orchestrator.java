package dev.haven.orchestrator;

import dev.haven.core.lead.Standing;
import dev.haven.fencing.Fencer;
import dev.haven.model.Time;
import dev.haven.model.config.ServiceManager;
import dev.haven.model.config.Settings;
import dev.haven.model.config.SettingsException;
import dev.haven.model.config.VoterAddress;
import dev.haven.model.wire.ToAgent;
import dev.haven.orchestrator.alone.PairFailover;
import dev.haven.orchestrator.detect.FailureDetector;
import dev.haven.orchestrator.http.ApiServer;
import dev.haven.orchestrator.join.Authority;
import dev.haven.orchestrator.join.Door;
import dev.haven.orchestrator.join.JoinDesk;
import dev.haven.orchestrator.join.KeyIntake;
import dev.haven.orchestrator.join.TokenViews;
import dev.haven.orchestrator.power.FencingDevices;
import dev.haven.raft.DamagedLogException;
import dev.haven.raft.DirectoryDisk;
import dev.haven.raft.Voter;
import dev.haven.raft.VoterSettings;
import dev.haven.raft.port.ReplicatedLog;
import dev.haven.tls.Fingerprint;
import dev.haven.tls.JoinTls;
import dev.haven.tls.NoJavaObjects;
import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import dev.haven.tls.TlsException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One voter: builds the parts, wires them, and runs until it is told to stop. */
public final class Orchestrator implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Orchestrator.class);

  /** {@code sysexits.h}: the configuration is wrong; systemd does not restart it. */
  private static final int EX_CONFIG = 78;

  /** How often systemd is told how this voter does; its unit waits for three times as long. */
  private static final Duration TELL = Duration.ofSeconds(10);

  /**
   * A loop that has been at one thing for so long does not come back: a commit takes 10 s at most.
   */
  private static final Duration STUCK = Duration.ofSeconds(25);

  /** A start may take a quarter of an hour. */
  private static final int STARTS = 90;

  private static final int EX_DATAERR = 65;
  private static final int EX_UNAVAILABLE = 69;

  private final OrchestratorConfig config;
  private final ReplicatedLog raft;
  private final Loop loop;
  private final FailureDetector detector;
  private final Optional<PairFailover> pairFailover;
  private final ApiServer server;
  private final Optional<Door> door;

  private Orchestrator(OrchestratorConfig config) throws Exception {
    this.config = config;
    var tls = tls(config);
    var keeper = new StateKeeper();
    var cluster = config.cluster().orElse("haven");
    raft =
        Voter.start(
            settings(config, cluster, tls, certificate -> voterOf(certificate, keeper)),
            new DirectoryDisk(config.data()),
            keeper);
    var secrets = SealedSecrets.with(config.secretsKey());
    // one for all: what the checks of every minute find out about a device counts in a fence too
    var devices = new FencingDevices(new Fencer(config.data()), secrets, Time.SYSTEM);
    // the loop, what it acts through and what it hears need each other
    var effects =
        new WorldEffects(
            keeper::state,
            this::reached,
            devices,
            this::post,
            e -> loop().ask(secrets.sealed(e), false));
    loop = new Loop(raft, effects);
    detector =
        new FailureDetector(
            config.name(),
            config.networks(),
            config.heartbeatPort(),
            keeper::state,
            raft::leadership,
            raft::lastQuorumRound,
            () -> raft.members().voters().stream().map(ReplicatedLog.Member::name).toList(),
            raft.bus(),
            devices,
            this::post,
            secrets::heartbeatKey);
    detector.tells(
        () -> new Standing(secrets.id(), raft.alone().waitsForPerson()),
        () -> SealedSecrets.sealedWith(keeper.state()));
    pairFailover =
        config
            .alone()
            .map(
                alone ->
                    PairFailover.start(
                        config.name(),
                        alone.pingTargets(),
                        keeper::state,
                        raft,
                        detector,
                        devices,
                        (proof, began) ->
                            effects.gathered(proof.host(), proof.boot(), proof.at(), began),
                        e -> loop.ask(e, false)));
    var authority = new Authority(keeper::state, config.tls().ca(), secrets::open);
    var api =
        new Cluster(
            config.name(),
            cluster,
            raft,
            keeper,
            loop,
            effects,
            detector,
            pairFailover,
            secrets,
            new TokenViews(authority, config.joinPort(), this::reached));
    server =
        ApiServer.start(
            Settings.socketAddress(config.listen()),
            config.socket(),
            tls,
            config.name(),
            () -> voterApis(config, raft.members().voters()),
            api,
            effects,
            key -> keeper.state().revoked(key));
    effects.connect(server.agents(), detector);
    loop.start();
    door = config.joinPort().map(port -> door(port, api, keeper, authority, secrets));
  }

  /** Where machines without a certificate come in. */
  private Door door(
      int port, Cluster api, StateKeeper keeper, Authority authority, SealedSecrets secrets) {
    var house =
        new JoinDesk.House(
            config.name(),
            config.cluster().orElse("haven"),
            config.tls().ca(),
            config.secretsKey(),
            config.heartbeatPort(),
            port);
    var desk = new JoinDesk(house, keeper::state, api, authority, this::reached, Clock.systemUTC());
    var files = config.tls();
    return Door.start(
        keeper::state,
        new InetSocketAddress(Settings.socketAddress(config.listen()).getHostString(), port),
        () -> JoinTls.voter(files.ca(), files.certificate(), files.key()),
        desk,
        Clock.systemUTC(),
        config
            .caKey()
            .<Runnable>map(
                file -> new KeyIntake(config.name(), keeper::state, api, files.ca(), file, secrets))
            .orElse(() -> {}));
  }

  private static VoterSettings settings(
      OrchestratorConfig config,
      String cluster,
      SSLContext tls,
      Function<X509Certificate, Optional<String>> voterOf)
      throws IOException {
    return VoterSettings.of(
            cluster,
            config.name(),
            config.self().raft(),
            config.voters().stream()
                .map(
                    v ->
                        new ReplicatedLog.VoterAddress(
                            v.name(),
                            v.raft(),
                            Optional.of(v.api()),
                            v.networks(),
                            v.witness().orElse(false)))
                .toList(),
            Optional.of(tls),
            voterOf)
        .withBoot(config.boot());
  }

  /** Which of them vote is in the log, and whose keys are revoked. */
  static Optional<String> voterOf(X509Certificate certificate, StateKeeper keeper) {
    try {
      if (keeper.state().revoked(Fingerprint.of(certificate.getPublicKey()))) {
        return Optional.empty();
      }
      var peer = Peer.of(certificate);
      return peer.role() == Role.VOTER ? Optional.of(peer.name()) : Optional.empty();
    } catch (SSLPeerUnverifiedException e) {
      return Optional.empty();
    }
  }

  /**
   * The log says who votes and, of those that were admitted with it, where they are. The file helps
   * where the log is from before that, and until this voter has any.
   */
  static Map<String, Optional<String>> voterApis(
      OrchestratorConfig config, List<ReplicatedLog.Member> members) {
    var listed =
        config.voters().stream()
            .collect(Collectors.toMap(VoterAddress::name, v -> Optional.of(v.api())));
    return members.isEmpty()
        ? listed
        : members.stream()
            .collect(
                Collectors.toMap(
                    ReplicatedLog.Member::name,
                    m -> m.api().or(() -> listed.getOrDefault(m.name(), Optional.empty()))));
  }

  /** The same, whole, for agents: those of which anything is known that an agent needs. */
  static List<ToAgent.Voter> voters(OrchestratorConfig config, List<ReplicatedLog.Member> members) {
    var listed = config.voters().stream().collect(Collectors.toMap(VoterAddress::name, v -> v));
    var voters = new ArrayList<ToAgent.Voter>();
    for (var member : members) {
      var inFile = Optional.ofNullable(listed.get(member.name()));
      var api = member.api().or(() -> inFile.map(VoterAddress::api));
      var networks =
          member.networks().isEmpty()
              ? inFile.map(VoterAddress::networks).orElse(Map.of())
              : member.networks();
      api.ifPresent(a -> voters.add(new ToAgent.Voter(member.name(), member.raft(), a, networks)));
    }
    return voters;
  }

  /** The voters of the log, as agents and newcomers reach them. */
  private List<ToAgent.Voter> reached() {
    return voters(config, raft.members().voters());
  }

  private Loop loop() {
    return loop;
  }

  private void post(dev.haven.core.ha.Event event) {
    if (loop != null) { // what is heard while the parts are being built comes again
      loop.post(event);
    }
  }

  /** Reads its log meanwhile, which may be long. */
  private static Orchestrator started(OrchestratorConfig config, ServiceManager manager)
      throws Exception {
    var reads = new CountDownLatch(1);
    Thread.ofPlatform()
        .daemon()
        .name("start")
        .start(
            () -> {
              try {
                for (int i = 0;
                    i < STARTS && !reads.await(TELL.toSeconds(), TimeUnit.SECONDS);
                    i++) {
                  manager.startTakes(TELL.multipliedBy(6), "reads its log");
                }
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
    try {
      return new Orchestrator(config);
    } finally {
      reads.countDown();
    }
  }

  /** What it is at, for {@code systemctl status}. */
  private String inWords() {
    var now = raft.leadership();
    if (now.self()) {
      return now.ready() ? "leads in term " + now.term() : "begins to lead, term " + now.term();
    }
    return now.leader()
        .map(leader -> "follows %s in term %d".formatted(leader, now.term()))
        .orElse("knows no leader: too few voters are up or reached");
  }

  @Override
  public void close() {
    door.ifPresent(Door::close);
    server.close();
    pairFailover.ifPresent(PairFailover::close);
    detector.close();
    loop.close();
    raft.close();
  }

  /**
   * Reads the settings, the certificate and the key as a voter does at its start.
   *
   * @throws IOException if it would not start; the message is for the operator
   */
  public static void checkSettings(Path file) throws IOException {
    tls(Settings.read(file, OrchestratorConfig.class));
  }

  /** Checked: it is this voter's certificate, and its key. */
  private static SSLContext tls(OrchestratorConfig config) throws TlsException {
    TlsContext.checkIs(config.tls().certificate(), new Peer(config.name(), Role.VOTER));
    var files = config.tls();
    return TlsContext.watched(
        files.ca(), files.certificate(), files.key(), TlsContext.ServerCheck.ANY);
  }

  public static void main(String[] args) {
    NoJavaObjects.areRead();
    // before the first handshake: our certificates are short, and what is longer is nobody's we
    // know
    System.setProperty("jdk.tls.maxHandshakeMessageSize", "8192");
    LogLines.install();
    if (args.length != 1) {
      System.err.println("usage: haven-orchestrator CONFIG.yaml");
      System.exit(64);
    }
    OrchestratorConfig config;
    try {
      config = Settings.read(Path.of(args[0]), OrchestratorConfig.class);
    } catch (SettingsException e) {
      System.err.println("haven-orchestrator: " + e.getMessage());
      System.exit(EX_CONFIG);
      return;
    }
    var manager = ServiceManager.of(System.getenv());
    try {
      var orchestrator = started(config, manager);
      var stop = new CountDownLatch(1);
      Runtime.getRuntime()
          .addShutdownHook(
              new Thread(
                  () -> {
                    manager.stopping();
                    orchestrator.close();
                    stop.countDown();
                  },
                  "stop"));
      log.info("voter {} listens on {}", config.name(), config.listen());
      manager.ready(orchestrator.inWords());
      while (!stop.await(TELL.toSeconds(), TimeUnit.SECONDS)) {
        manager.status(orchestrator.inWords());
        if (orchestrator.loop.atOneThing().compareTo(STUCK) < 0) {
          manager.alive();
        }
      }
    } catch (TlsException e) {
      System.err.println("haven-orchestrator: " + e.getMessage());
      System.exit(EX_CONFIG);
    } catch (DamagedLogException e) {
      System.err.println("haven-orchestrator: " + e.getMessage());
      System.exit(EX_DATAERR);
    } catch (Exception e) {
      log.error("cannot start", e);
      System.err.println("haven-orchestrator: cannot start: " + e.getMessage());
      System.exit(EX_UNAVAILABLE);
    }
  }
}
