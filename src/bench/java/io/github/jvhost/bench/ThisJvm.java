package io.github.jvhost.bench;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Another JVM like this one: same JDK, class path and options, its ahead-of-time cache among them.
 */
final class ThisJvm {
  /** Options that are about this process and nobody else. */
  private static final List<String> OWN =
      List.of(
          "-agent",
          "-javaagent",
          "-Xrun",
          "-XX:StartFlightRecording",
          "-XX:FlightRecorderOptions",
          "-XX:AOTCacheOutput",
          "-XX:AOTMode");

  private ThisJvm() {}

  /**
   * What to start it with.
   *
   * @param main the class whose main method it runs
   * @param arguments of that
   */
  static List<String> command(Class<?> main, List<String> arguments) {
    return command(List.of(), main, arguments);
  }

  /** The same with more options for the JVM. */
  static List<String> command(List<String> options, Class<?> main, List<String> arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      if (OWN.stream().noneMatch(option::startsWith)) {
        command.add(option);
      }
    }
    command.addAll(options);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(arguments);
    return command;
  }
}
