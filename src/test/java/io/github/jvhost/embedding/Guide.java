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

/**
 * A page of docs/ and the directory whose marked regions it shows.
 *
 * @param page the page, in Markdown
 * @param sources where the code is that it shows
 */
public record Guide(Path page, Path sources) {
  private static final Pattern SNIPPET = Pattern.compile("(?ms)^```java\n(.*?)^```$");
  private static final Pattern REGION =
      Pattern.compile("(?ms)^ *// guide: ((?!end)[^\n]+)\n(.*?)^ *// guide: end$");

  /** The page's snippets, in order. */
  public List<String> snippets() {
    return SNIPPET.matcher(text()).results().map(found -> found.group(1)).toList();
  }

  /** The marked regions by name, as far to the left as they go. */
  public Map<String, String> regions() {
    var regions = new LinkedHashMap<String, String>();
    try (Stream<Path> files = Files.list(sources)) {
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

  String text() {
    return read(page);
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
