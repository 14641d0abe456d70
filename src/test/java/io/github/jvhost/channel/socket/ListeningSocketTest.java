package io.github.jvhost.channel.socket;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A socket is for those for whom any other file of this process is. */
class ListeningSocketTest {
  private static final Set<PosixFilePermission> NOT_OF_PLAIN_FILES =
      Set.of(
          PosixFilePermission.OWNER_EXECUTE,
          PosixFilePermission.GROUP_EXECUTE,
          PosixFilePermission.OTHERS_EXECUTE);

  @TempDir private Path directory;

  @Test
  void itsFileHasTheModeThatTheUmaskGives() throws IOException {
    Path plain = Files.createFile(directory.resolve("plain"));
    try (ListeningSocket socket = ListeningSocket.open(directory.resolve("socket"))) {
      Set<PosixFilePermission> mode = Files.getPosixFilePermissions(socket.path());
      mode.removeAll(NOT_OF_PLAIN_FILES);
      assertThat(mode).isEqualTo(Files.getPosixFilePermissions(plain));
    }
  }
}
