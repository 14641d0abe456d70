package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** docs/vmstate.md says what the code does: its tables are those that reader and writer use. */
class VmStateDocTest {
  private static final String FROM =
      "<!-- The tables that reader and writer use; VmStateDocTest prints them anew. -->\n\n";

  @Test
  void theTablesAreThoseOfTheCode() throws IOException {
    String document = Files.readString(Path.of("docs", "vmstate.md"));

    assertThat(document).contains(FROM);
    assertThat(document.substring(document.indexOf(FROM) + FROM.length()))
        .isEqualTo(DescriptionTables.of(VirtioNetVmState.description(DeviceRecord.Kind.FINAL)));
  }
}
