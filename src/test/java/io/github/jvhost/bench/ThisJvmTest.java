package io.github.jvhost.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.process.ChildProcess;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** A JVM like this one is really like it. */
class ThisJvmTest {
  /** What the other JVM runs. */
  static final class Report {
    private Report() {}

    public static void main(String[] arguments) {
      System.out.println(
          "%s %d %s".formatted(arguments[0], Runtime.getRuntime().maxMemory(), jdkAndOptions()));
    }
  }

  private static String jdkAndOptions() {
    List<String> options =
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
            .filter(option -> option.startsWith("-X") || option.startsWith("--enable-native"))
            .toList();
    return System.getProperty("java.home") + " " + options;
  }

  @Test
  void itHasTheSameJdkHeapAndOptions() {
    List<String> command = ThisJvm.command(Report.class, List.of("hello"));

    try (var child = ChildProcess.leashed("a JVM", command, Map.of())) {
      assertThat(child.awaitExit(Deadline.after(Duration.ofSeconds(30)))).isTrue();
      child.awaitOutput();
      assertThat(child.transcript().text().strip())
          .endsWith("hello %d %s".formatted(Runtime.getRuntime().maxMemory(), jdkAndOptions()));
    }
  }

  @Test
  void whatIsAboutThisProcessAloneIsLeftOut() {
    assertThat(ThisJvm.command(Report.class, List.of()))
        .noneMatch(option -> option.startsWith("-agent") || option.startsWith("-javaagent"));
  }
}
