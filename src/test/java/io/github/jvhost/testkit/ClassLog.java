package io.github.jvhost.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Test aid: which classes another JVM loaded and initialized, by the JVM's own log. */
public final class ClassLog {
  private static final Pattern LOADED = Pattern.compile("\\[(\\d+)ns\\] (\\S+) source: .*");
  private static final Pattern INITIALIZED =
      Pattern.compile("\\[(\\d+)ns\\] \\d+ Initializing '([^']+)'.*");

  /**
   * The JVM makes a class for a method handle after 127 calls, whoever calls it. So it depends on
   * the speed of the host whether the rehearsal or the window has the last of them. A class that is
   * made to link a lambda, a concatenation or a downcall has another name.
   */
  private static final Pattern MAY_COME = Pattern.compile("java.lang.invoke.LambdaForm\\$MH\\W.*");

  private ClassLog() {}

  /** The options with which a JVM writes its log to a file. */
  public static List<String> options(Path file) {
    // tn is the time that System.nanoTime gives.
    return List.of("-Xlog:class+load=info,class+init=info:file=" + file + ":tn");
  }

  /** The classes that were loaded or initialized between two times of System.nanoTime. */
  public static List<String> between(Path file, long from, long to) {
    try {
      return Files.readAllLines(file).stream()
          .flatMap(line -> List.of(LOADED.matcher(line), INITIALIZED.matcher(line)).stream())
          .filter(Matcher::matches)
          .filter(found -> isBetween(Long.parseLong(found.group(1)), from, to))
          .map(found -> found.group(2).replace('/', '.'))
          .filter(name -> !MAY_COME.matcher(name).matches())
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static boolean isBetween(long nanos, long from, long to) {
    return nanos - from >= 0 && nanos - to <= 0;
  }
}
