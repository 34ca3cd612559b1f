package dev.haven.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** What {@link Fuzz} sends over HTTP: commands that are valid, nearly valid, and nothing at all. */
final class FuzzRequests {
  private FuzzRequests() {}

  static <T> T of(Random random, List<T> all) {
    return all.get(random.nextInt(all.size()));
  }

  static byte[] post(byte[] body) {
    var head =
        "POST /v1/commands HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            .formatted(body.length)
            .getBytes(StandardCharsets.US_ASCII);
    return ByteBuffer.allocate(head.length + body.length).put(head).put(body).array();
  }

  private static final List<String> NAMES =
      List.of(
          "\"x\"",
          "\"web\"",
          "\"\"",
          "\" \"",
          "\"../../etc/passwd\"",
          "\"a/b\"",
          "\"\\u0000\"",
          "\"a\\nb\\u001b[2J\"",
          "\"ä\"",
          "null",
          "5",
          "[]",
          "{}",
          "\"" + "n".repeat(5_000) + "\"");

  private static final List<String> NUMBERS =
      List.of(
          "0",
          "1",
          "-1",
          "64",
          "9223372036854775807",
          "9223372036854775808",
          "1e400",
          "1.5",
          "\"1\"",
          "null",
          "1e2147483647");

  private static final List<String> TIMES =
      List.of(
          "\"PT30S\"",
          "\"PT0S\"",
          "\"-PT30S\"",
          "\"P1000000000D\"",
          "\"PT9223372036854775807S\"",
          "30",
          "1e300",
          "-1",
          "\"30s\"",
          "null",
          "[]");

  private static final List<String> TYPES =
      List.of(
          "RemoveHost",
          "Cordon",
          "Uncordon",
          "Evacuate",
          "Fence",
          "ConfirmDead",
          "StartGuest",
          "StopGuest",
          "RemoveGuest",
          "Migrate",
          "Relocate",
          "Pause",
          "Resume",
          "TestWatchdog",
          "TrustSoftdog",
          "TestFencing",
          "CancelOperation",
          "AddHost",
          "CreateGuest",
          "EditGuest",
          "Nope",
          "java.lang.Object",
          "dev.haven.model.api.Command$Resume",
          "");

  static String command(Random random) {
    var type = of(random, TYPES);
    var fields = new ArrayList<String>();
    fields.add("\"type\":\"" + type + "\"");
    if (type.equals("AddHost")) {
      fields.add("\"host\":" + host(random));
    } else if (type.endsWith("Guest") && random.nextBoolean()) {
      fields.add("\"guest\":" + guest(random));
      fields.add("\"start\":" + of(random, List.of("true", "false", "null", "\"x\"")));
    } else {
      for (var field :
          List.of("host", "guest", "to", "operation", "sentence", "override", "reason", "level")) {
        if (random.nextInt(4) > 0) {
          fields.add("\"" + field + "\":" + of(random, random.nextInt(5) > 0 ? NAMES : NUMBERS));
        }
      }
      fields.add("\"grace\":" + of(random, TIMES));
      fields.add("\"within\":" + of(random, TIMES));
      fields.add("\"trusted\":" + of(random, List.of("true", "null", "\"x\"")));
    }
    return "{\"request\":%s,\"dryRun\":%s,\"command\":{%s}}"
        .formatted(
            random.nextInt(8) > 0 ? "\"r" + random.nextLong() + "\"" : of(random, NAMES),
            of(random, List.of("true", "true", "false", "null", "\"x\"")),
            String.join(",", fields));
  }

  private static String host(Random random) {
    var device =
        of(
            random,
            List.of(
                "{\"name\":\"m\",\"kind\":\"manual\",\"settings\":{\"instructions\":\"pull\"}}",
                "{\"name\":\"\",\"kind\":\"\",\"settings\":{}}",
                "{\"name\":\"d\",\"kind\":\"http\",\"settings\":{\"off\":\"https://[::1\",\"regex\":\"(a+)+$\"}}",
                "{\"name\":\"d\",\"kind\":\"redfish\",\"settings\":{\"address\":\"::::\",\"user\":\"u\",\"password\":\"p\"}}",
                "{\"name\":\"d\",\"kind\":\"ipmi\",\"settings\":{\"address\":\"127.0.0.1\",\"user\":\"u\",\"passwordFile\":\"/etc/\\u0000\"}}",
                "{\"name\":\"d\",\"kind\":\"sbd\",\"settings\":{\"disks\":\"\\u0000\",\"slot\":\"s\"}}",
                "{\"name\":\"d\",\"kind\":\"nope\",\"settings\":{\"a\":null}}",
                "null"));
    return """
    {"id":%s,"migrationUri":%s,"networks":[{"name":%s,"address":%s,"roles":["CONTROL"]}],"fencing":[[%s]],
     "labels":{"a":%s},"memoryReserveMib":%s,"cpuOvercommit":%s}\
    """
        .formatted(
            of(random, NAMES),
            of(random, NAMES),
            of(random, NAMES),
            of(random, NAMES),
            device,
            of(random, NAMES),
            of(random, NUMBERS),
            of(random, NUMBERS));
  }

  private static String guest(Random random) {
    var xml =
        of(
            random,
            List.of(
                "\"\"",
                "\"<a\"",
                "\"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain>&x;</domain>\"",
                "\"" + "<a>".repeat(20_000) + "\"",
                "\"" + "x".repeat(900_000) + "\"",
                "null",
                "\"<domain type='kvm'><name>web</name><memory unit='MiB'>64</memory></domain>\""));
    return """
    {"id":%s,"uuid":"%08x-0000-4000-8000-000000000000","memoryMib":%s,"vcpus":%s,"priority":0,"domainXml":%s,"labels":{},
     "rules":[%s],"restart":%s,"startAttempts":%s}\
    """
        .formatted(
            of(random, NAMES),
            random.nextInt(6),
            of(random, NUMBERS),
            of(random, NUMBERS),
            xml,
            of(
                random,
                List.of("", "null", "{}", "{\"type\":\"x\"}", "{\"type\":\"After\"}", "\"x\"")),
            of(random, List.of("\"ANYWHERE\"", "\"x\"", "null")),
            of(random, NUMBERS));
  }

  static byte[] mutated(Random random, byte[] body) {
    var bytes = body.clone();
    for (int i = random.nextInt(6); i >= 0 && bytes.length > 2; i--) {
      int at = random.nextInt(bytes.length);
      switch (random.nextInt(4)) {
        case 0 -> bytes[at] = (byte) random.nextInt(256);
        case 1 -> bytes = java.util.Arrays.copyOf(bytes, at + 1);
        case 2 -> {
          var piece =
              of(random, List.of("[".repeat(50_000), "{\"a\":", "\u0000", "1e999999999", "\uffff"))
                  .getBytes(StandardCharsets.UTF_8);
          bytes =
              ByteBuffer.allocate(bytes.length + piece.length)
                  .put(bytes, 0, at)
                  .put(piece)
                  .put(bytes, at, bytes.length - at)
                  .array();
        }
        default -> bytes[at] ^= (byte) (1 << random.nextInt(8));
      }
    }
    return bytes;
  }

  private static final List<String> PATHS =
      List.of(
          "/v1/guests/%2e%2e%2f%2e%2e",
          "/v1/guests/..",
          "/v1/../v1/status",
          "//v1/status",
          "/v1/guests/%00",
          "/v1/guests/%",
          "/v1/guests/%zz",
          "/v1/guests/" + "a".repeat(9_000),
          "/v1/hosts/x/devices?now=true",
          "/v1/hosts/%F0%9F%98%80/devices",
          "/v1/operations/op-1",
          "/v1/events?since=-1",
          "/v1/events?since=99999999999999999999",
          "/v1/events?limit=0",
          "/v1/events?since=1&since=2&limit=abc",
          "/v1/events?%",
          "/v1/events?since=%",
          "/v1/%%",
          "/v1/voters/%2f",
          "/v1/voters/zz/alone",
          "*",
          "http://evil/v1/status",
          "/v1/status?" + "a".repeat(20_000),
          "/v1/guests/g;x=1",
          "/v1/STATUS",
          "/",
          "",
          "/v1/health",
          "/v1/leader",
          "/v1/agent",
          "/v1/export?secrets=true",
          "/v1/guests/web/explain",
          "/v1/events/stream?since=-5",
          "/v1/events?since=1&limit=10#x");

  static byte[] path(Random random) {
    var method =
        of(
            random,
            List.of(
                "GET",
                "GET",
                "GET",
                "POST",
                "PUT",
                "HEAD",
                "OPTIONS",
                "TRACE",
                "CONNECT",
                "get",
                "X".repeat(5_000),
                "PRI",
                "DELETE"));
    var body = of(random, List.of("", "", "{}", "null", "[]", "x".repeat(100_000)));
    return ("%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nHaven-Local-User: %s\r\nContent-Length: %d\r\n\r\n%s"
            .formatted(
                method,
                of(random, PATHS),
                of(random, List.of("root", "%zz", "a b", "x".repeat(300), "\u001b[2J")),
                body.length(),
                body))
        .getBytes(StandardCharsets.UTF_8);
  }

  private static final String CHUNKED =
      "POST /v1/commands HTTP/1.1\r\n"
          + "Host: a\r\n"
          + "Transfer-Encoding: chunked\r\n"
          + "Connection: close\r\n\r\n";

  private static final List<String> RAW =
      List.of(
          "GET /v1/status HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
          "POST /v1/commands HTTP/1.1\r\n"
              + "Host: a\r\n"
              + "Content-Length: 4\r\n"
              + "Content-Length: 5\r\n\r\n"
              + "{}{}{",
          "POST /v1/commands HTTP/1.1\r\n"
              + "Host: a\r\n"
              + "Transfer-Encoding: chunked\r\n"
              + "Content-Length: 4\r\n\r\n"
              + "2\r\n"
              + "{}\r\n"
              + "0\r\n\r\n",
          CHUNKED + "zz\r\n",
          CHUNKED + "-1\r\n",
          CHUNKED + "FFFFFFFFFF\r\n",
          CHUNKED + "7fffffff\r\n" + "x".repeat(100_000),
          "GET /v1/status HTTP/9.9\r\n\r\n",
          "GET /v1/status\r\n\r\n",
          "\r\n\r\n\r\n",
          "GET %zz%% HTTP/1.1\r\n\r\n",
          "GET /v1/status HTTP/1.1\r\n" + "A: b\r\n".repeat(5_000) + "\r\n",
          "GET /v1/status HTTP/1.1\r\nX: " + "a".repeat(200_000) + "\r\n\r\n",
          "GET /v1/status HTTP/1.1\r\n Host: a\r\n\r\n",
          "GET /v1/status HTTP/1.1\r\nHost\r\n\r\n",
          "GET /v1/status HTTP/1.1\nHost: a\nConnection: close\n\n",
          "GET /v1/status HTTP/1.1\r\nHost: a\r\nAccept: image/png\r\nConnection: close\r\n\r\n",
          "GET /v1/events/stream HTTP/1.1\r\n"
              + "Host: a\r\n"
              + "Last-Event-ID: zz\r\n"
              + "Connection: close\r\n\r\n",
          "GET /v1/agent HTTP/1.1\r\n"
              + "Host: a\r\n"
              + "Connection: Upgrade\r\n"
              + "Upgrade: h2c\r\n"
              + "HTTP2-Settings: x\r\n\r\n",
          "GET /v1/status HTTP/1.1\r\n"
              + "Host: a\r\n"
              + "Cookie: \u00ff\u00fe\r\n"
              + "Connection: close\r\n\r\n");

  static byte[] raw(Random random) {
    if (random.nextInt(5) == 0) {
      var noise = new byte[random.nextInt(3_000) + 1];
      random.nextBytes(noise);
      return ByteBuffer.allocate(noise.length + 4)
          .put(noise)
          .put("\r\n\r\n".getBytes(StandardCharsets.US_ASCII))
          .array();
    }
    return of(random, RAW).getBytes(StandardCharsets.ISO_8859_1);
  }
}
