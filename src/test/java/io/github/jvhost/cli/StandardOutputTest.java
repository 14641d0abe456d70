package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** What is printed and does not arrive. */
class StandardOutputTest {
  private static StandardOutput printedTo(OutputStream out) {
    var standard = new StandardOutput(out);
    try (var writer = new PrintWriter(standard, false, StandardCharsets.UTF_8)) {
      writer.println("word");
    }
    return standard;
  }

  @Test
  void whatArrivesIsNoFailure() {
    var bytes = new ByteArrayOutputStream();

    assertThat(printedTo(bytes).failure()).isEmpty();
    assertThat(bytes.toString(StandardCharsets.UTF_8)).isEqualTo("word\n");
  }

  @Test
  void aFullDiskIsOne() throws IOException {
    try (var full = new FileOutputStream("/dev/full")) {
      assertThat(printedTo(full).failure()).hasValue("No space left on device");
    }
  }

  @Test
  void aReaderThatHasSeenEnoughIsNone() {
    StandardOutput output =
        printedTo(
            new OutputStream() {
              @Override
              public void write(int octet) throws IOException {
                throw new IOException("Broken pipe");
              }
            });

    assertThat(output.failure()).isEmpty();
  }
}
