package io.github.jvhost;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What the README has a reader write into a POM and a module-info is what the build makes. */
class DependencySnippetsTest {
  private static final Pattern COORDINATES =
      Pattern.compile(
          "<groupId>([^<]+)</groupId><artifactId>([^<]+)</artifactId>"
              + "(?:<version>([^<]+)</version>)?");
  private static final Pattern REQUIRES =
      Pattern.compile("(?m)^\\| `([^`]+)` \\|.*\\| `requires ([^`;]+);` \\|$");

  private static String readme() throws IOException {
    return Files.readString(Path.of("README.md"));
  }

  private static String first(String tag, String file) throws IOException {
    return Files.readString(Path.of(file)).split("<" + tag + ">", 2)[1].split("<", 2)[0];
  }

  @Test
  void theCoordinatesAreThoseThatTheBuildInstalls() throws IOException {
    var installed = new TreeSet<String>();
    installed.add(first("artifactId", "pom.xml"));
    try (Stream<Path> poms = Files.list(Path.of("build", "poms"))) {
      poms.forEach(pom -> installed.add(pom.getFileName().toString().replace(".xml", "")));
    }

    List<MatchResult> named = COORDINATES.matcher(readme()).results().toList();

    assertThat(named).hasSize(3);
    for (MatchResult dependency : named) {
      assertThat(dependency.group(1)).isEqualTo(first("groupId", "pom.xml"));
      assertThat(installed).contains(dependency.group(2));
      if (dependency.group(2).endsWith("-bom")) {
        assertThat(dependency.group(3)).isEqualTo(first("version", "pom.xml"));
      } else {
        assertThat(dependency.group(3)).as("the BOM has it").isNull();
        assertThat(Files.readString(Path.of("build/poms/jvhost-bom.xml")))
            .contains("<artifactId>" + dependency.group(2) + "</artifactId>");
      }
    }
  }

  @Test
  void theModulesAreThoseOfTheDescriptors() throws IOException {
    var required =
        REQUIRES
            .matcher(readme())
            .results()
            .collect(Collectors.toMap(row -> row.group(1), row -> row.group(2)));

    assertThat(required).containsOnlyKeys("jvhost", "jvhost-testkit");
    assertThat(Files.readString(Path.of("src/main/java/module-info.java")))
        .contains("\nmodule " + required.get("jvhost") + " {");
    assertThat(Files.readString(Path.of("src/testkit/module/module-info.java")))
        .contains("\nmodule " + required.get("jvhost-testkit") + " {");
  }
}
