package io.github.jvhost.testing;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.embedding.Guide;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** docs/testing.md shows what this directory compiles and runs, and nothing else. */
class TestingGuideTest {
  @Test
  void itsSnippetsAreTheMarkedRegions() {
    Guide guide =
        new Guide(Path.of("docs", "testing.md"), Path.of("src/test/java/io/github/jvhost/testing"));

    assertThat(guide.snippets()).containsExactlyInAnyOrderElementsOf(guide.regions().values());
  }
}
