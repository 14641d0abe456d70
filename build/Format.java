import com.google.googlejavaformat.java.Formatter;
import com.google.googlejavaformat.java.JavaFormatterOptions;
import com.google.googlejavaformat.java.RemoveUnusedImports;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;

/**
 * Formats, or checks, every Java source of the project. A process of its own, because
 * google-java-format reads Java 25 only where it runs on Java 25, and Maven need not.
 *
 * <p>Usage: {@code java build/Format.java apply|check DIRECTORY}
 */
final class Format {
  public static void main(String[] args) throws Exception {
    boolean apply = args[0].equals("apply");
    var formatter = new Formatter(JavaFormatterOptions.defaultOptions());
    var unformatted = new ArrayList<Path>();
    for (String root : new String[] {"src", "build"}) {
      Path directory = Path.of(args[1], root);
      if (!Files.isDirectory(directory)) {
        continue;
      }
      try (var files = Files.walk(directory)) {
        for (Path file : files.filter(f -> f.toString().endsWith(".java")).sorted().toList()) {
          String before = Files.readString(file);
          String after =
              formatter.formatSourceAndFixImports(RemoveUnusedImports.removeUnusedImports(before));
          if (!after.equals(before)) {
            unformatted.add(file);
            if (apply) {
              Files.writeString(file, after);
            }
          }
        }
      }
    }
    if (!apply && !unformatted.isEmpty()) {
      unformatted.forEach(f -> System.err.println("not formatted: " + f));
      System.err.println("run the build once without CI set: it formats what it compiles");
      System.exit(1);
    }
  }
}
