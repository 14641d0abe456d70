package io.github.jvhost.embedding;

import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** docs/embedding.md shows what this directory compiles and tests, and nothing else. */
class GuideTest {
  private static final Guide GUIDE =
      new Guide(
          Path.of("docs", "embedding.md"), Path.of("src/test/java/io/github/jvhost/embedding"));

  @TempDir private Path directory;

  @Test
  void itsSnippetsAreTheMarkedRegions() {
    assertThat(GUIDE.snippets()).containsExactlyInAnyOrderElementsOf(GUIDE.regions().values());
  }

  @Test
  void theFirstProgramWorksAsItIsTypedIn() throws Exception {
    String program = GUIDE.snippets().getFirst();
    Files.writeString(directory.resolve("FirstNic.java"), program);
    DescriptorLedger ledger = DescriptorLedger.tracing();
    try (MockBackEnd backEnd = Mirror.start(directory.resolve("s"), ledger)) {
      String jars =
          Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator, -1))
              .map(entry -> Path.of(entry).toAbsolutePath().toString())
              .collect(joining(File.pathSeparator));
      run("javac", "-proc:none", "-cp", jars, "FirstNic.java");
      String printed =
          run(
              "java",
              "--enable-native-access=ALL-UNNAMED",
              "-cp",
              jars + File.pathSeparator + directory,
              "FirstNic",
              backEnd.socket().toString());

      assertThat(printed).isEqualTo("came back: aa aa aa aa aa aa bb bb bb bb bb bb\n");
      assertThat(GUIDE.text()).contains("\n" + printed + "```");
      assertThat(backEnd.record().violations()).isEmpty();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** Runs a program of this JDK's in the directory; what it printed. */
  private String run(String program, String... arguments) throws Exception {
    Path output = directory.resolve(program + ".out");
    var command = new ArrayList<String>();
    command.add(Path.of(System.getProperty("java.home"), "bin", program).toString());
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    try {
      assertThat(process.waitFor(120, TimeUnit.SECONDS)).as(program + " ends").isTrue();
    } finally {
      process.destroyForcibly();
    }
    String printed = Files.readString(output);
    assertThat(process.exitValue()).as(printed).isZero();
    return printed;
  }
}
