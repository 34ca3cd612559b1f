package dev.haven.agent;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** A new arrow is a decision and not an accident. */
@AnalyzeClasses(packages = "dev.haven", importOptions = DoNotIncludeTests.class)
class ArrowsTest {
  @ArchTest
  static final ArchRule ONLY_THE_WIRING_KNOWS_LIBVIRT =
      noClasses()
          .that()
          .resideInAnyPackage("dev.haven.agent", "dev.haven.agent.guest")
          .and()
          .areNotAssignableTo(Agent.class)
          .should()
          .dependOnClassesThat(resideInAnyPackage("dev.haven.agent.libvirt..", "org.libvirt.."));

  @ArchTest
  static final ArchRule THE_ADAPTER_KNOWS_THE_PORT_AND_NOTHING_ELSE_OF_THE_AGENT =
      noClasses()
          .that()
          .resideInAPackage("dev.haven.agent.libvirt..")
          .should()
          .dependOnClassesThat()
          .haveNameMatching(
              "dev\\.haven\\.agent\\.(Agent|OrderBook|Reports|LeaderChannel|Heartbeats|Leaders|guest\\.(Orders|GuestKeeper|Departures|LastWord|HostLeases))(\\$.*)?");

  @ArchTest
  static final ArchRule AN_AGENT_KNOWS_NO_ORCHESTRATOR =
      noClasses()
          .that()
          .resideInAPackage("dev.haven.agent..")
          .should()
          .dependOnClassesThat()
          // sbd is both sides of a disk: the one that writes a message and the one that obeys it
          .resideInAnyPackage("dev.haven.orchestrator..", "dev.haven.fencing", "dev.haven.lab..");
}
