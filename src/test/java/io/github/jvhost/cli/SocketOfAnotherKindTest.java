package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import java.io.FileDescriptor;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;
import org.newsclub.net.unix.AFUNIXDatagramChannel;
import org.newsclub.net.unix.FileDescriptorCast;

/** {@code mock-back-end --fd} with a descriptor that is no socket of its kind. */
class SocketOfAnotherKindTest {
  private static String said(OwnedDescriptor given) {
    var err = new StringWriter();
    var out = new StringWriter();
    int number = given.release();
    int code =
        Jvhost.execute(
            new PrintWriter(out), new PrintWriter(err), "mock-back-end", "--fd=" + number);
    assertThat(code).isEqualTo(1);
    assertThat(out.toString()).isEmpty();
    assertThat(err.toString())
        .contains("the socket of --fd")
        .doesNotContain("class ", "errno", "newsclub", "null");
    return err.toString();
  }

  private static OwnedDescriptor copyOf(FileDescriptor descriptor) throws IOException {
    int number = FileDescriptorCast.using(descriptor).as(Integer.class);
    return OwnedDescriptor.duplicateOf(DescriptorLedger.counting(), number, "socket of the test");
  }

  @Test
  void aFile() {
    MemoryFile file = MemoryFile.create(DescriptorLedger.counting(), "no socket", 4096);

    assertThat(said(file.descriptor())).contains("ENOTSOCK (not a socket)");
  }

  @Test
  void aSocketOfDatagrams() throws IOException {
    try (AFUNIXDatagramChannel datagrams = AFUNIXDatagramChannel.open()) {
      assertThat(said(copyOf(datagrams.getFileDescriptor())))
          .contains("it is no stream socket of the AF_UNIX family");
    }
  }
}
