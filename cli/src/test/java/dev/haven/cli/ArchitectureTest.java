package dev.haven.cli;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.io.Closeable;
import java.io.File;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Executor;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The arrows between the parts. A new one is a decision: change it here, and say why. */
class ArchitectureTest {
  private static JavaClasses haven = new ClassFileImporter().importClasses();

  @BeforeAll
  static void read() {
    haven =
        new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .withImportOption(location -> !location.contains("jmh_generated"))
            .importPackages("dev.haven");
  }

  /** Classes of {@code part} may depend on these packages and on the JDK. */
  private static void knowsOnly(String part, String... known) {
    var all = new ArrayList<>(List.of(known));
    all.addAll(List.of("java..", "javax..", "org.jspecify..", part));
    classes()
        .that()
        .resideInAPackage(part)
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(all.toArray(String[]::new))
        .check(haven);
  }

  @Test
  void everyPartIsRead() {
    for (var part :
        List.of(
            "model",
            "tls",
            "templates",
            "fencing",
            "core",
            "raft",
            "orchestrator",
            "agent",
            "lab",
            "bench",
            "cli")) {
      assertThat(haven.stream().anyMatch(c -> c.getPackageName().startsWith("dev.haven." + part)))
          .as(part)
          .isTrue();
    }
  }

  /** A library that opens a port before another one forbids it would read them for a while. */
  @Test
  void eachProcessFirstForbidsToReadJavaObjects() {
    for (var main : List.of("agent.Agent", "orchestrator.Orchestrator", "cli.Main")) {
      var calls =
          haven.get("dev.haven." + main).getMethod("main", String[].class).getMethodCallsFromSelf();
      assertThat(calls.stream().min(Comparator.comparing(call -> call.getLineNumber())))
          .hasValueSatisfying(
              call ->
                  assertThat(call.getTarget().getOwner().getSimpleName())
                      .isEqualTo("NoJavaObjects"));
    }
  }

  @Test
  void theSharedWordsKnowNoPartOfHaven() {
    knowsOnly("dev.haven.model", "com.fasterxml.jackson..", "org.w3c.dom..", "org.xml.sax..");
    knowsOnly("dev.haven.model.api", "com.fasterxml.jackson..", "dev.haven.model");
    knowsOnly("dev.haven.model.wire", "com.fasterxml.jackson..", "dev.haven.model");
    knowsOnly("dev.haven.model.config", "com.fasterxml.jackson..", "org.yaml..", "dev.haven.model");
  }

  /** A second one would not know whose device it was when the checks of every minute looked. */
  @Test
  void aVoterHasOneFencer() {
    var made =
        haven.get("dev.haven.fencing.Fencer").getConstructors().stream()
            .flatMap(c -> c.getCallsOfSelf().stream())
            .filter(call -> call.getOriginOwner().getPackageName().startsWith("dev.haven.orch"))
            .toList();
    assertThat(made).hasSize(1);
  }

  @Test
  void librariesOfOursKnowNobody() {
    knowsOnly("dev.haven.tls..", "org.bouncycastle..", "org.slf4j..");
    // of the shared words, sizes and the reader of XML alone
    knowsOnly(
        "dev.haven.templates..",
        "dev.haven.model",
        "org.w3c.dom..",
        "org.xml.sax..",
        "com.thaiopensource..");
    // of the shared words, amounts and the reader of XML alone
    knowsOnly(
        "dev.haven.fencing..",
        "dev.haven.model",
        "com.fasterxml.jackson..",
        "org.w3c.dom..",
        "org.xml.sax..",
        "org.slf4j..");
  }

  /** What is decided, granted and refused: the same classes for the daemons and the simulator. */
  @Test
  void theCoreKnowsOnlyTheSharedWords() {
    knowsOnly("dev.haven.core..", "dev.haven.model..", "org.pcollections..");
    knowsOnly("dev.haven.core.placement", "dev.haven.model", "org.pcollections..");
    knowsOnly("dev.haven.core.lease", "dev.haven.model..");
    slices().matching("dev.haven.core.(*)..").should().beFreeOfCycles().check(haven);
  }

  /**
   * A file of the core can be read with those below it alone. {@code Silences} is the part of
   * {@code Watch} that judges silences; the two share what a voter knows.
   */
  @Test
  void theFilesOfTheCoreHaveNoCircle() {
    slices()
        .assignedFrom(new EachFile())
        .should()
        .beFreeOfCycles()
        .ignoreDependency("dev.haven.core.lead.Silences", "dev.haven.core.lead.Watch$Voter")
        .ignoreDependency("dev.haven.core.lead.Silences", "dev.haven.core.lead.Watch$Findings")
        .check(haven);
  }

  /** One slice for each file of the core. */
  private static final class EachFile implements SliceAssignment {
    @Override
    public SliceIdentifier getIdentifierOf(JavaClass type) {
      return type.getPackageName().startsWith("dev.haven.core.")
          ? SliceIdentifier.of(type.getName().split("\\$", 2)[0])
          : SliceIdentifier.ignore();
    }

    @Override
    public String getDescription() {
      return "the files of the core";
    }
  }

  /**
   * Time and chance arrive inside events and as arguments; a decision that looked at the clock
   * could not be replayed.
   */
  @Test
  void theCoreHasNoClockNoChanceNoThreadNoSocketNoFileAndNoLog() {
    noClasses()
        .that()
        .resideInAPackage("dev.haven.core..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "java.net..",
            "java.nio.file..",
            "java.nio.channels..",
            "java.util.concurrent.locks..",
            "org.slf4j..",
            "java.util.logging..")
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(Random.class)
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(Clock.class)
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(Thread.class)
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(Executor.class)
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(File.class)
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(Closeable.class)
        .orShould()
        .callMethod(Instant.class, "now")
        .orShould()
        .callMethod(System.class, "nanoTime")
        .orShould()
        .callMethod(System.class, "currentTimeMillis")
        .check(haven);
  }

  /** One event after the other: a decision needs no lock, and has none. */
  @Test
  void decisionsNeedNoLock() {
    noClasses()
        .that()
        .resideInAnyPackage("dev.haven.core.ha..", "dev.haven.core.placement..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("java.util.concurrent..")
        .check(haven);
  }

  @Test
  void portsKnowDecisionsAndAdaptersKnowPorts() {
    knowsOnly("dev.haven.raft.port");
    knowsOnly("dev.haven.raft..", "org.jgroups..", "org.slf4j..");
    knowsOnly(
        "dev.haven.orchestrator.port..",
        "dev.haven.model..",
        "dev.haven.core.ha",
        "dev.haven.core.lead",
        "dev.haven.raft.port");
    knowsOnly(
        "dev.haven.orchestrator.power..",
        "dev.haven.orchestrator.port",
        "dev.haven.core.ha",
        "dev.haven.core.lead",
        "dev.haven.fencing",
        "dev.haven.model..");
    knowsOnly(
        "dev.haven.orchestrator.http..",
        "dev.haven.orchestrator.port",
        "dev.haven.raft.port",
        "dev.haven.model..",
        "dev.haven.tls",
        "com.fasterxml.jackson..",
        "org.eclipse.jetty..",
        "jdk.net", // who is at the other end of a Unix socket
        "org.slf4j..");
    knowsOnly(
        "dev.haven.orchestrator.detect..",
        "dev.haven.orchestrator.port",
        "dev.haven.raft.port",
        "dev.haven.core..",
        "dev.haven.model..",
        "com.fasterxml.jackson..",
        "org.slf4j..");
    knowsOnly(
        "dev.haven.orchestrator.alone..",
        "dev.haven.orchestrator.port",
        "dev.haven.raft.port",
        "dev.haven.core..",
        "dev.haven.orchestrator.detect",
        "dev.haven.model..",
        "org.slf4j..");
  }

  /** The root package builds the parts; were a part to know it, it would know all the others. */
  @Test
  void nothingInsideTheOrchestratorKnowsItsWiring() {
    noClasses()
        .that()
        .resideInAPackage("dev.haven.orchestrator.(*)..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("dev.haven.orchestrator")
        .check(haven);
    slices().matching("dev.haven.orchestrator.(*)..").should().beFreeOfCycles().check(haven);
  }

  @Test
  void libvirtIsSpokenToInOnePlace() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.haven.agent.libvirt..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.libvirt..")
        .check(haven);
    // the agent's clock and its process call the C library
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.haven.agent..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("com.sun.jna..")
        .check(haven);
    // the simulator runs it with a libvirt, a disk and a time that are made up, and no more of it
    noClasses()
        .that()
        .resideInAPackage("dev.haven.simulator..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("dev.haven.agent", "dev.haven.agent.libvirt..")
        .check(haven);
    knowsOnly(
        "dev.haven.agent.guest",
        "dev.haven.core.lease",
        "dev.haven.core.obey",
        "dev.haven.model..",
        "org.slf4j");
    // and the agent's own rules know the port alone: only its main wires libvirt in
    noClasses()
        .that()
        .resideInAPackage("dev.haven.agent")
        .and()
        .haveSimpleNameNotStartingWith("Agent")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("dev.haven.agent.libvirt..")
        .check(haven);
  }

  @Test
  void theDaemonsKnowNeitherEachOtherNorWhatIsBuiltOnThem() {
    noClasses()
        .that()
        .resideInAPackage("dev.haven.agent..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "dev.haven.orchestrator..",
            "dev.haven.fencing", // not its sbd: both sides of a disk
            "dev.haven.lab..",
            "dev.haven.bench..",
            "dev.haven.simulator..",
            "dev.haven.cli..")
        .check(haven);
    noClasses()
        .that()
        .resideInAPackage("dev.haven.orchestrator..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "dev.haven.agent..",
            "dev.haven.templates..",
            "dev.haven.lab..",
            "dev.haven.bench..",
            "dev.haven.simulator..",
            "dev.haven.cli..")
        .check(haven);
  }

  /** The lab runs the daemons as processes, as a machine would, and is their client. */
  @Test
  void theLabKnowsTheDaemonsOnlyFromOutside() {
    noClasses()
        .that()
        .resideInAPackage("dev.haven.lab..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "dev.haven.agent..",
            "dev.haven.orchestrator..",
            "dev.haven.fencing..",
            "dev.haven.bench..",
            "dev.haven.cli..")
        .check(haven);
  }

  @Test
  void onlyTheCommandLineParsesCommandLines() {
    noClasses()
        .that()
        .resideOutsideOfPackage("dev.haven.cli..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("picocli..", "dev.haven.cli..")
        .check(haven);
  }

  @Test
  void thePartsHaveNoCycles() {
    slices().matching("dev.haven.(*)..").should().beFreeOfCycles().check(haven);
  }

  @Test
  void everyPackageIsNullMarked() throws ClassNotFoundException {
    var packages =
        haven.stream().map(c -> c.getPackageName()).filter(p -> !p.isEmpty()).distinct().toList();
    for (var name : packages) {
      assertThat(Class.forName(name + ".package-info").isAnnotationPresent(NullMarked.class))
          .as(name)
          .isTrue();
    }
  }
}
