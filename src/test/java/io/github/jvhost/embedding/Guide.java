package io.github.jvhost.embedding;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** docs/embedding.md, and the marked regions of this directory that it shows. */
final class Guide {
  static final Path PAGE = Path.of("docs", "embedding.md");

  private static final Path SOURCES = Path.of("src/test/java/io/github/jvhost/embedding");
  private static final Pattern SNIPPET = Pattern.compile("(?ms)^```java\n(.*?)^```$");
  private static final Pattern REGION =
      Pattern.compile("(?ms)^ *// guide: ((?!end)[^\n]+)\n(.*?)^ *// guide: end$");

  private Guide() {}

  /** The page's snippets, in order. */
  static List<String> snippets() {
    return SNIPPET.matcher(read(PAGE)).results().map(found -> found.group(1)).toList();
  }

  /** The marked regions by name, as far to the left as they go. */
  static Map<String, String> regions() {
    var regions = new LinkedHashMap<String, String>();
    try (Stream<Path> files = Files.list(SOURCES)) {
      for (Path file : files.filter(f -> !f.endsWith("Guide.java")).sorted().toList()) {
        REGION
            .matcher(read(file))
            .results()
            .forEach(found -> {
              if (regions.put(found.group(1), toTheLeft(found.group(2))) != null) {
                throw new AssertionError("two regions are named " + found.group(1));
              }
            });
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return regions;
  }

  private static String toTheLeft(String region) {
    int least =
        region
            .lines()
            .filter(line -> !line.isBlank())
            .mapToInt(line -> line.length() - line.stripLeading().length())
            .min()
            .orElse(0);
    return region.indent(-least);
  }

  static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
