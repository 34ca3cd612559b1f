package dev.haven.orchestrator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.GuestId;
import dev.haven.model.Json;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.Reply;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a program sends is judged as what a person types: by the leader, before it decides. */
class WhatCallersSendTest {
  private static final String HOST =
      """
      {"type": "AddHost", "host": {"id": "d", "migrationUri": "qemu+tls://d/system",
       "networks": [{"name": "%s", "address": "%s", "roles": ["CONTROL"]}], "fencing": [],
       "labels": {"%s": "x"}, "memoryReserveMib": 1024, "cpuOvercommit": 4}}
      """;
  private static final String GUEST =
      """
      {"type": "CreateGuest", "start": false, "guest": {"id": "web", "uuid": "%s",
       "memoryMib": 512, "vcpus": 1, "priority": 0, "domainXml": "%s", "labels": {}, "rules": [],
       "restart": "ANYWHERE", "startAttempts": 3}}
      """;
  private static final GuestId WEB = new GuestId("web");
  private static final String UUID = "8f7a9d5e-0c61-4e6b-9d8a-111111111111";
  private static final String XML = "<domain><name>web</name></domain>";

  private static Reply answer(String json) throws Exception {
    try (var leader = OneLeader.withThreeHosts()) {
      return answer(leader, json, "r");
    }
  }

  private static final String MACHINE =
      "<domain><name>web</name><os><type arch='x86_64' machine='%s'>hvm</type></os></domain>";

  private static Cluster cluster(OneLeader leader) {
    return new Cluster(
        "v",
        "cluster",
        leader.log,
        leader.keeper,
        leader.loop,
        leader.effects,
        leader.detector,
        Optional.empty(),
        SealedSecrets.with(Optional.empty()),
        OneLeader.NO_TOKENS);
  }

  private static Reply answer(OneLeader leader, String json, String request) throws Exception {
    var command = Json.read(json, Command.class);
    return cluster(leader)
        .command(new CommandRequest(new RequestId(request), command, false), "somebody")
        .get(30, TimeUnit.SECONDS);
  }

  @Test
  void aGuestKeepsTheMachineThatItGotAndGetsOneThatEveryHostOffers() throws Exception {
    try (var leader = OneLeader.withThreeHosts()) {
      leader.offers(OneLeader.A, "pc-q35-6.2", "pc-q35-7.2", "pc-q35-10.0");
      leader.offers(OneLeader.B, "pc-q35-6.2", "pc-q35-7.2", "pc-i440fx-7.2");
      assertThat(answer(leader, GUEST.formatted(UUID, MACHINE.formatted("q35")), "1"))
          .isInstanceOf(Reply.Accepted.class);
      assertThat(machine(leader)).contains("pc-q35-7.2");
      assertThat(leader.state().guest(WEB).orElseThrow().spec().domainXml())
          .isEqualTo(MACHINE.formatted("pc-q35-7.2"));
      // both hosts are upgraded, and its owner changes something else
      leader.offers(OneLeader.B, "pc-q35-6.2", "pc-q35-7.2", "pc-q35-10.0");
      var edit = GUEST.replace("CreateGuest", "EditGuest");
      assertThat(answer(leader, edit.formatted(UUID, MACHINE.formatted("q35")), "2"))
          .isInstanceOf(Reply.Accepted.class);
      assertThat(machine(leader)).contains("pc-q35-7.2");
      assertThat(answer(leader, edit.formatted(UUID, MACHINE.formatted("pc-q35-11.0")), "3"))
          .isInstanceOfSatisfying(
              Reply.Refused.class,
              r -> assertThat(r.message()).contains("no host offers the machine type pc-q35-11.0"));
    }
  }

  private static Optional<String> machine(OneLeader leader) {
    return leader.state().guest(WEB).orElseThrow().spec().machine();
  }

  @ParameterizedTest(name = "{0}, {1}, {2}")
  @CsvSource({
    "control:, 10.0.0.9, k, network name 'control:'",
    "control, x, k, network control: address 'x' is no IP address",
    "control, 10.0.0.9, k+, label 'k+'"
  })
  void aHostThatCannotBeIsRefused(String network, String address, String label, String why)
      throws Exception {
    assertThat(answer(HOST.formatted(network, address, label)))
        .isInstanceOfSatisfying(
            Reply.Refused.class,
            r -> {
              assertThat(r.reason()).isEqualTo(Reply.Reason.INVALID);
              assertThat(r.message()).contains("host d: ").contains(why);
            });
  }

  @ParameterizedTest(name = "{0}, {1}")
  @CsvSource({
    "1234, <domain><name>web</name></domain>, UUID '1234' is none",
    UUID
        + ", <domain><name>db</name></domain>, has the <name> 'db'; it must be the guest's own"
        + " name",
    UUID + ", <domain><name>web</name>, is not well-formed",
    UUID + ", <network/>, begins with <network>",
    UUID
        + ", <domain><name>web</name><devices><disk><source"
        + " file='x.img'/></disk></devices></domain>, disk 'x.img': give the whole path"
  })
  void aGuestThatCannotBeIsRefused(String uuid, String xml, String why) throws Exception {
    assertThat(answer(GUEST.formatted(uuid, xml)))
        .isInstanceOfSatisfying(
            Reply.Refused.class,
            r -> {
              assertThat(r.reason()).isEqualTo(Reply.Reason.INVALID);
              assertThat(r.message()).contains("guest web: ").contains(why);
            });
  }

  @Test
  void whatIsRightIsDone() throws Exception {
    assertThat(answer(HOST.formatted("control", "10.0.0.9", "k")))
        .isInstanceOf(Reply.Accepted.class);
    assertThat(answer(GUEST.formatted(UUID, XML))).isInstanceOf(Reply.Accepted.class);
  }
}
