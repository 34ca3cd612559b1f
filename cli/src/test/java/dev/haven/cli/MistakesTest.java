package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is wrong is said where it is typed: no cluster is needed, and none is asked. */
class MistakesTest {
  @TempDir private Path directory;

  private String haven(String line) {
    var said = new ByteArrayOutputStream();
    var print = new PrintStream(said, true, StandardCharsets.UTF_8);
    int exit =
        Main.run(
            line.strip().split(" +"),
            new Surroundings(
                new ByteArrayInputStream(new byte[0]),
                print,
                print,
                Map.of("HOME", directory.toString()),
                directory,
                false,
                false,
                false));
    assertThat(exit).as(said.toString(StandardCharsets.UTF_8)).isEqualTo(Exit.USAGE.code);
    return said.toString(StandardCharsets.UTF_8);
  }

  @ParameterizedTest(name = "haven {0}")
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          host add b --network control:=x                    | network name 'control:': use 1 to 63 letters
          host add b --network control=x                     | network control: address 'x' is no IP address; write it like 10.0.0.1
          host add b --network control=10.0.0.1.5            | address '10.0.0.1.5' is no IP address
          host add b --network control=10.0.0.300            | address '10.0.0.300' is no IP address
          host add b --network control=10.0.1                | address '10.0.1' is no IP address
          host add b --network control=10.0.0.1/24           | address '10.0.0.1/24' is no IP address
          host add b --network control=10.0.0.1:7700         | address '10.0.0.1:7700' is no IP address
          host add b --network control=0.0.0.0               | address '0.0.0.0' belongs to no single machine
          host add b --network control=224.0.0.1             | address '224.0.0.1' belongs to no single machine
          host add b --network control=::                    | belongs to no single machine
          host add b --network control=fd00::12345            | is no IP address
          host add b --network control=10.0.0.1:boss         | there is no role 'boss'; roles are control, migration, replication
          host add b --network control=10.0.0.1:             | address '10.0.0.1:' is no IP address
          host add b --network control                       | write it as NAME=ADDRESS
          host add b --network =10.0.0.1                     | write it as NAME=ADDRESS
          host add b                                         | it has no network, so nothing of it would be heard: --network control=ADDRESS
          host add b --network x=10.0.0.1 --network x=10.0.0.2 | network 'x' is there twice
          host add b --network x=10.0.0.1 --network y=10.0.0.1 | address '10.0.0.1' is there twice
          host add -b- --network x=10.0.0.1                  | Unknown option
          host add b..+ --network x=10.0.0.1                 | host name 'b..+': use 1 to 63 letters
          host add b --network x=10.0.0.1 --uuid 123         | UUID '123' is none; give what `dmidecode -s system-uuid` prints
          host add b --network x=10.0.0.1 --migration-uri b  | migration URI 'b' is none of libvirt's; write it like qemu+tls://
          host add b --network x=10.0.0.1 --migration-uri http://b/ | migration URI 'http://b/' is none of libvirt's
          host add b --network x=10.0.0.1 --migration-uri qemu:///system | migration URI 'qemu:///system' names no host
          host add b --network x=10.0.0.1 --migration-uri qemu+tcp://b:70000/system | the port must be 1 to 65535
          host add b --network x=10.0.0.1 --fencing bmc      | write it as NAME=KIND,KEY=VALUE
          host add b --network x=10.0.0.1 --fencing b+c=ipmi | fencing device name 'b+c': use 1 to 63 letters
          host add b --network x=10.0.0.1 --fencing m=manual --fencing 2/m=manual | fencing device 'm' is there twice
          host add b --network x=10.0.0.1 --label a+b=c      | label 'a+b': use 1 to 63 letters
          host add b --network x=10.0.0.1 --label a=         | label a: its value '' must have 1 to 128 characters
          host add b --network x=10.0.0.1 --reserve 2Gigs    | 2Gigs
          host add b --network x=10.0.0.1 --reserve 65TiB    | a reserve of 68157440 MiB is not between 0 and 64 TiB
          host add b --network x=10.0.0.1 --overcommit 0     | cpuOvercommit 0.0 is not between 0 and 64
          host add b --network x=10.0.0.1 --overcommit many  | many
          guest create web --template kvm-linus              | template 'kvm-linus' is unknown; there are kvm-linux,
          guest create web --template /nowhere/t.xml         | template /nowhere/t.xml: there is no such file
          guest create web --template kvm-linux              | how large? Add --memory and --cpus
          guest create web --template kvm-linux --memory 2GB! --cpus 1 --disk /g/x | 2GB!
          guest create web --template kvm-linux --memory 2GiB --cpus 0 --disk /g/x | 0
          guest create web --template kvm-linux --memory 2GiB --cpus 1 --disk g/x  | g/x
          guest create web --template kvm-linux --memory 2GiB --cpus 1 --disk /g/x --label a+b=c | label 'a+b': use 1 to 63 letters
          guest create web --template kvm-linux --memory 2GiB --cpus 1 --disk /g/x --priority 5000 | priority 5000 is not between -1000 and 1000
          guest create web --template kvm-linux --memory 2GiB --cpus 1 --disk /g/x --rule on:b+c       | host name 'b+c': use 1 to 63 letters
          guest create web --template kvm-linux --memory 2GiB --cpus 1 --disk /g/x --rule after:w+b    | guest name 'w+b': use 1 to 63 letters
          guest create web --template kvm-linux --memory 2GiB --cpus 1 --disk /g/x --rule follows:w+b  | guest name 'w+b': use 1 to 63 letters
          guest create web --template kvm-linux --memory 2GiB --cpus 1 --disk /g/x --rule near:b       | rule 'near:b': write it as one of on:HOST
          guest create web --template kvm-linux --memory 2GiB --cpus 1 --disk /g/x --rule together:a+b=c | rule 'together:a+b=c': label 'a+b': use 1 to 63 letters
          guest create web --template kvm-linux --memory 2GiB --cpus 1 --disk /g/x --rule apart:app    | rule 'apart:app': write it as one of
          guest create web --template kvm-linux --memory 2GiB --cpus 1 --disk /g/x --rule on:role=     | rule 'on:role=': label role: its value '' must have 1 to 128 characters
          guest create web --template kvm-linux --memory 2GiB --cpus 1 --disk /g/x --start-attempts 99 | startAttempts 99 is not between 1 and 10
          guest create web --template kvm-linux --memory 2GiB --cpus 1 --disk /g/x --restarts 500/h,1  | 500
          guest stop w+b                                     | guest name 'w+b': use 1 to 63 letters
          guest edit w+b --priority 1                        | guest name 'w+b': use 1 to 63 letters
          migrate web --to b+c                               | host name 'b+c': use 1 to 63 letters
          relocate w+b --to b                                | guest name 'w+b': use 1 to 63 letters
          relocate web --grace 5x                            | 5x
          evacuate b+c                                       | host name 'b+c': use 1 to 63 letters
          uncordon b+c                                       | host name 'b+c': use 1 to 63 letters
          fence b+c                                          | host name 'b+c': use 1 to 63 letters
          fence test b+c                                     | host name 'b+c': use 1 to 63 letters
          watchdog trust b+c                                 | host name 'b+c': use 1 to 63 letters
          host accept b+c --uuid none                        | host name 'b+c': use 1 to 63 letters
          explain w+b                                        | guest name 'w+b': use 1 to 63 letters
          guest show w+b                                     | guest name 'w+b': use 1 to 63 letters
          op show x/y                                        | operation name 'x/y': use 1 to 63 letters
          op cancel x/y                                      | operation name 'x/y': use 1 to 63 letters
          voter force-alone ../x                             | voter name '../x': use 1 to 63 letters
          guest create we+b --template kvm-linux --memory 2GiB --cpus 1 --disk /g/x | guest name 'we+b': use 1 to 63 letters
          voter add d --raft 10.0.0.4 --api 10.0.0.4:7700    | '10.0.0.4' must be address:port with a port of 1 to 65535
          voter add d --raft 10.0.0.4:0 --api 10.0.0.4:7700  | '10.0.0.4:0' must be address:port
          voter add d --raft 10.0.0.444:7702 --api 10.0.0.4:7700 | '10.0.0.444:7702' must be address:port
          voter add d --raft 10.0.0.4:7702 --api 10.0.0.4:7702 | cannot be both --raft and --api
          voter add d --raft d:7702 --api d:7700 --network control=x | network control: address 'x' is no IP address
          voter add d+ --raft d:7702 --api d:7700            | voter name 'd+': use 1 to 63 letters
          pause --for 0s --reason work                       | is not between 1 s and 30 days
          pause --for 31d --reason work                      | is not between 1 s and 30 days
          """)
  void whatCannotBeIsAnsweredWithFieldValueAndTheWayOut(String line, String answer) {
    assertThat(haven(line)).contains(answer.strip());
  }
}
