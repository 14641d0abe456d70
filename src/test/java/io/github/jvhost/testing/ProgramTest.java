package io.github.jvhost.testing;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.junit.MockBackEndExtension;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class ProgramTest {
  @RegisterExtension
  static final MockBackEndExtension backEnds = MockBackEndExtension.of(Personality.GENERIC);

  /** A program that has nothing of this project: the JDK runs it from its source. */
  private static List<String> command(Path socket) {
    return List.of(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "src/test/java/io/github/jvhost/testing/OtherProgram.java",
        socket.toString());
  }

  // guide: a test of a program
  @Test
  void itNegotiates(MockBackEnd backEnd) throws Exception {
    Process program = new ProcessBuilder(command(backEnd.socket())).inheritIO().start();
    try {
      Deadline soon = Deadline.after(Duration.ofMinutes(1));
      assertTrue(
          backEnd.record().await(told -> told.count(FrontEndRequest.SET_OWNER) == 1, soon),
          () -> "it has not said SET_OWNER, but " + backEnd.record().names());
    } finally {
      program.destroyForcibly().waitFor();
    }
  }
  // guide: end
}
