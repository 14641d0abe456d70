package io.github.jvhost.realbackend;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/**
 * The ioctls that the kernel saw, counted by its own tracing. In a {@link KernelGuest}, where
 * nobody else makes any.
 */
final class IoctlTrace {
  private static final Path TRACING = Path.of("/sys/kernel/tracing");
  private static final Pattern IOCTL = Pattern.compile("sys_ioctl\\(fd: \\w+, cmd: (\\w+),");
  private static final String BEGIN = "here it begins";
  private static final String END = "here it ends";

  private IoctlTrace() {}

  /**
   * Runs work while ioctls are traced.
   *
   * @param counts gets how often there was which request, by its number in hexadecimal
   */
  static <T> T during(Map<String, Long> counts, Supplier<T> work) {
    Path event = TRACING.resolve("events/syscalls/sys_enter_ioctl/enable");
    write(TRACING.resolve("trace"), "");
    write(event, "1");
    T result;
    try {
      write(TRACING.resolve("trace_marker"), BEGIN);
      result = work.get();
      write(TRACING.resolve("trace_marker"), END);
    } finally {
      write(event, "0");
    }
    String trace = read(TRACING.resolve("trace"));
    String part = trace.substring(trace.indexOf(BEGIN), trace.indexOf(END));
    IOCTL.matcher(part).results().forEach(one -> counts.merge(one.group(1), 1L, Long::sum));
    return result;
  }

  private static void write(Path file, String text) {
    try {
      Files.writeString(file, text, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String read(Path file) {
    try (var in = Files.newInputStream(file)) { // its size says nothing
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
