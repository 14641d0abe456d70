package io.github.jvhost;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What the documents point at is there: files and headings; in docs/ also the types that they name.
 */
class DocumentLinksTest {
  private static final Pattern LINK = Pattern.compile("\\]\\(([^)\\s]+)\\)|src=\"([^\"]+)\"");
  private static final Pattern HEADING = Pattern.compile("(?m)^#+ (.+)$");
  private static final Pattern CODE = Pattern.compile("`([^`\n]+)`");

  /** A file or directory of this repository, from its root on; dots stand for what is left out. */
  private static final Pattern FILE = Pattern.compile("(?:src|build|docs|\\.ci)/[\\w./-]+");

  /** A type, perhaps with a member: {@code GuestMemory}, {@code VhostNet.access}. */
  private static final Pattern TYPE =
      Pattern.compile("([A-Z][a-z]\\w*)((?:\\.[A-Z]\\w*)*)(?:\\.([a-z]\\w*))?(?:\\(.*\\))?");

  /** Pages that name types of ours and of nobody else's. */
  private static final List<String> GUIDES =
      List.of("embedding.md", "migration.md", "presetup.md", "qemu-map.md", "testing.md");

  private static List<Path> pages() throws IOException {
    try (Stream<Path> docs = Files.list(Path.of("docs"))) {
      List<Path> all =
          new ArrayList<>(docs.filter(f -> f.toString().endsWith(".md")).sorted().toList());
      all.addFirst(Path.of("README.md"));
      return all;
    }
  }

  /** Those, and what stands beside the README. */
  private static List<Path> documents() throws IOException {
    List<Path> all = pages();
    all.addAll(
        List.of(Path.of("CONTRIBUTING.md"), Path.of("SECURITY.md"), Path.of("CHANGELOG.md")));
    return all;
  }

  @Test
  void relativeLinksLeadSomewhere() throws IOException {
    List<String> broken = new ArrayList<>();
    for (Path page : documents()) {
      for (MatchResult link : LINK.matcher(Files.readString(page)).results().toList()) {
        String target = link.group(1) == null ? link.group(2) : link.group(1);
        if (!leadsSomewhere(page, target)) {
          broken.add(page + ": " + target);
        }
      }
    }
    assertThat(broken).isEmpty();
  }

  @Test
  void filesOfTheRepositoryAreWhereTheDocumentsSay() throws IOException {
    List<String> missing = new ArrayList<>();
    for (Path page : documents()) {
      for (MatchResult code : CODE.matcher(Files.readString(page)).results().toList()) {
        String file = code.group(1);
        if (FILE.matcher(file).matches() && !file.contains("...") && !Files.exists(Path.of(file))) {
          missing.add(page + ": " + file);
        }
      }
    }
    assertThat(missing).isEmpty();
  }

  private static boolean leadsSomewhere(Path page, String target) throws IOException {
    if (target.contains("://")) {
      return true; // nobody asks the network here
    }
    int hash = target.indexOf('#');
    String path = hash < 0 ? target : target.substring(0, hash);
    Path file = path.isEmpty() ? page : page.resolveSibling(path);
    return Files.exists(file)
        && (hash < 0 || anchors(Files.readString(file)).contains(target.substring(hash + 1)));
  }

  private static Set<String> anchors(String page) {
    return HEADING
        .matcher(page)
        .results()
        .map(h -> h.group(1).toLowerCase(Locale.ROOT).replaceAll("[^\\w\\- ]", ""))
        .map(h -> h.replace(' ', '-'))
        .collect(Collectors.toSet());
  }

  @Test
  void everyPageIsInTheReadmesTable() throws IOException {
    String readme = Files.readString(Path.of("README.md"));
    for (Path page : pages().subList(1, pages().size())) {
      assertThat(readme).contains("[" + page + "](" + page + ")");
    }
  }

  @Test
  void theGuidesNameTypesThatThereAre() throws IOException {
    List<Path> sources;
    try (Stream<Path> files = Files.walk(Path.of("src"))) {
      sources = files.filter(f -> f.toString().endsWith(".java")).toList();
    }
    var unknown = new TreeSet<String>();
    for (String guide : GUIDES) {
      String page = Files.readString(Path.of("docs", guide));
      if (guide.equals("qemu-map.md")) {
        page = page.replaceAll("(?m)^\\|[^|]*\\|", "|"); // the first column is QEMU's
      }
      for (MatchResult code : CODE.matcher(page).results().toList()) {
        var type = TYPE.matcher(code.group(1));
        if (type.matches() && !isThere(sources, type.group(1), type.group(2), type.group(3))) {
          unknown.add(guide + ": " + code.group(1));
        }
      }
    }
    assertThat(unknown).isEmpty();
  }

  private static boolean isThere(List<Path> sources, String type, String inner, String member)
      throws IOException {
    for (Path source : sources) {
      if (source.endsWith(type + ".java")) {
        String text = Files.readString(source);
        boolean found =
            member == null || Pattern.compile("\\b" + member + "\\b").matcher(text).find();
        for (String name : inner.split("\\.", -1)) {
          found &= text.contains(name);
        }
        if (found) {
          return true;
        }
      }
    }
    return false;
  }
}
