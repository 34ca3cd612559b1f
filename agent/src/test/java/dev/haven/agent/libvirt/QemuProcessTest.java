package dev.haven.agent.libvirt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A guest's process has ended only where the kernel says so. */
class QemuProcessTest {
  @TempDir Path root;

  private Path stat(long pid) throws Exception {
    Files.createDirectories(root.resolve("run/libvirt/qemu"));
    Files.writeString(root.resolve("run/libvirt/qemu/web.pid"), Long.toString(pid));
    return Files.createDirectories(root.resolve("proc/" + pid)).resolve("stat");
  }

  private static String line(String startTime) {
    return "42 (qemu (x)) S" + " 0".repeat(18) + " " + startTime + " 0 0\n";
  }

  @Test
  void aLivingProcessThatCannotBeAskedAboutHasNotEnded() throws Exception {
    var stat = stat(42);
    Files.writeString(stat, line("777"));
    var process = QemuProcess.of(root, "web").orElseThrow();
    assertThat(process.ended()).isFalse();
    Files.delete(stat);
    Files.createDirectory(stat); // an error that says nothing, as when no descriptor is left
    assertThat(process.ended()).isFalse();
    Files.delete(stat);
    Files.writeString(stat, "42 (qemu");
    assertThat(process.ended()).as("half a line").isFalse();
  }

  @Test
  void aProcessThatRunsTheGuestIsFoundByItsCommandLineAlone() throws Exception {
    var commandLine = Files.createDirectories(root.resolve("proc/42")).resolve("cmdline");
    Files.writeString(commandLine, "qemu\0-name\0guest=web2,debug-threads=on\0");
    assertThat(QemuProcess.running(root, "web")).isEmpty();
    Files.writeString(commandLine, "grep\0guest=web,\0");
    assertThat(QemuProcess.running(root, "web")).isEmpty();
    Files.writeString(commandLine, "qemu\0-name\0guest=web,debug-threads=on\0");
    assertThat(QemuProcess.running(root, "web")).hasValue(42);
    Files.delete(commandLine);
    Files.createDirectory(commandLine);
    assertThatThrownBy(() -> QemuProcess.running(root, "web")).isInstanceOf(IOException.class);
  }

  /** It was killed, and its write is still on its way to a disk that hangs. */
  @Test
  void aProcessOfWhichOneThreadHangsInTheKernelIsFoundByThatThread() throws Exception {
    var process = Files.createDirectories(root.resolve("proc/42"));
    Files.writeString(process.resolve("cmdline"), "");
    assertThat(QemuProcess.running(root, "web")).as("a thread of the kernel").isEmpty();
    for (var thread : List.of("42", "43")) {
      Files.createDirectories(process.resolve("task").resolve(thread));
    }
    Files.writeString(process.resolve("task/42/cmdline"), "");
    Files.writeString(process.resolve("task/43/cmdline"), "qemu\0-name\0guest=web,x=y\0");
    assertThat(QemuProcess.running(root, "web")).hasValue(42);
    Files.writeString(process.resolve("task/43/cmdline"), "");
    assertThat(QemuProcess.running(root, "web")).as("that one has ended too").isEmpty();
  }

  @Test
  void oneThatIsGoneOrWhoseNumberIsAnothersHasEnded() throws Exception {
    var stat = stat(42);
    Files.writeString(stat, line("777"));
    var process = QemuProcess.of(root, "web").orElseThrow();
    Files.writeString(stat, line("888"));
    assertThat(process.ended()).isTrue();
    Files.delete(stat);
    assertThat(process.ended()).isTrue();
  }
}
