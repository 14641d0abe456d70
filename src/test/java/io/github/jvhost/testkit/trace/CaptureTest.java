package io.github.jvhost.testkit.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Bytes;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.channel.backend.RelayedMessage;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.VringState;
import io.netty.buffer.Unpooled;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Reader;
import java.io.StringReader;
import java.io.StringWriter;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is written can be read, and what is not a capture is refused with a sentence. */
class CaptureTest {
  private static final Instant STARTED = Instant.parse("2026-11-27T20:00:00Z");

  private static RelayedMessage message(
      long at, RelayRoute route, int id, int flags, int descriptors, byte[] payload) {
    byte[] bytes = new byte[Header.SIZE + payload.length];
    Header.encode(Unpooled.wrappedBuffer(bytes).clear(), id, flags, payload.length);
    System.arraycopy(payload, 0, bytes, Header.SIZE, payload.length);
    return new RelayedMessage(at, at + 7, 1, route, false, Bytes.copyOf(bytes), descriptors);
  }

  private static byte[] ring(int index, int num) {
    byte[] bytes = new byte[8];
    new VringState(index, num).encode(Unpooled.wrappedBuffer(bytes).clear());
    return bytes;
  }

  /** What a proxy may meet. */
  private static List<CaptureEntry> entries(Dialect dialect) {
    var queue = new CaptureQueue(dialect);
    long start = System.nanoTime();
    queue.connected(1, start);
    queue.passed(message(start + 10, RelayRoute.TO_BACK_END, 8, 1, 0, ring(3, 256)));
    queue.passed(message(start + 20, RelayRoute.TO_BACK_END, 12, 1, 1, ring(3, 0)));
    queue.passed(message(start + 30, RelayRoute.TO_BACK_END, 11, 9, 0, ring(3, 0)));
    queue.passed(message(start + 40, RelayRoute.TO_FRONT_END, 11, 5, 0, ring(3, 77)));
    queue.passed(message(start + 50, RelayRoute.ASKED, 2, 9, 0, new byte[0]));
    queue.passed(message(start + 60, RelayRoute.ANSWERED, 2, 5, 0, new byte[8]));
    queue.passed(message(start + 70, RelayRoute.TO_BACK_END, 26, 1, 0, new byte[] {1, 2, 3}));
    queue.passed(message(start + 80, RelayRoute.TO_BACK_END, 4000, 0xFFFF_FFFF, 2, new byte[5]));
    queue.passed(message(start + 90, RelayRoute.TO_BACK_END, 8, 1, 0, new byte[] {1, 2, 3}));
    queue.passed(
        new RelayedMessage(
            start + 95, start + 99, 1, RelayRoute.TO_BACK_END, true, Bytes.zeros(77), 1));
    queue.ended(1, start + 100, "the front end closed the \"connection\"");
    return queue.rest();
  }

  private static String written(Dialect dialect, List<CaptureEntry> entries) {
    var text = new StringWriter();
    try (var writer = CaptureWriter.begin(text, "/run/a", "/run/b", STARTED, dialect)) {
      entries.forEach(writer::write);
      writer.flush();
    }
    return text.toString();
  }

  private static Capture read(String text) throws IOException {
    return CaptureReader.read(new BufferedReader(new StringReader(text)));
  }

  @Test
  void whatIsWrittenIsReadAgain() throws Exception {
    for (Dialect dialect :
        List.of(Dialect.UPSTREAM, Dialect.RFC_2023, Dialect.custom("40:99", 40, 99))) {
      List<CaptureEntry> entries = entries(dialect);

      assertThat(read(written(dialect, entries)))
          .isEqualTo(new Capture("/run/a", "/run/b", STARTED, dialect, entries, false));
    }
  }

  @Test
  void linesSayWhatWasSaid() {
    assertThat(entries(Dialect.UPSTREAM))
        .extracting(
            entry -> CaptureLine.of(entry, Dialect.UPSTREAM).replaceFirst("^ *[0-9.]+ us ", ""))
        .containsExactly(
            "### session 1 begins",
            "-> SET_VRING_NUM          fl=0x01 sz=8   fds=0 vq=3 num=256",
            "-> SET_VRING_KICK         fl=0x01 sz=8   fds=1 vq=3",
            "-> GET_VRING_BASE         fl=0x09 NEED_REPLY sz=8   fds=0 vq=3 num=0",
            "<- GET_VRING_BASE         fl=0x05 sz=8   fds=0 vq=3 num=77",
            "<= CONFIG_CHANGE_MSG      fl=0x09 NEED_REPLY sz=0   fds=0",
            "=> CONFIG_CHANGE_MSG      fl=0x05 sz=8   fds=0 u64=0x0",
            "-> CREATE_CRYPTO_SESSION  fl=0x01 sz=3   fds=0 (not kept)",
            "-> request 4000           fl=0xffffffff NEED_REPLY sz=5   fds=2 (5 bytes)",
            "-> SET_VRING_NUM          fl=0x01 sz=3   fds=0 (3 bytes)",
            "-> raw bytes              sz=77 fds=1",
            "### session 1 is over: the front end closed the \"connection\"");
  }

  @Test
  void whatMayBeSecretIsNotWritten() {
    assertThat(written(Dialect.UPSTREAM, entries(Dialect.UPSTREAM)).lines())
        .filteredOn(line -> line.contains("CREATE_CRYPTO_SESSION") || line.contains("\"raw\""))
        .hasSize(2)
        .noneMatch(line -> line.contains("payload"));
  }

  @Test
  void aLineThatWasCutOffIsPassedOver() throws Exception {
    String text = written(Dialect.UPSTREAM, entries(Dialect.UPSTREAM));

    Capture cut = read(text.substring(0, text.length() - 5));

    assertThat(cut.entries()).hasSize(11);
    assertThat(cut.cutOff()).isTrue();
    assertThat(read(text).cutOff()).isFalse();
    assertThat(read(text + "\n  ").cutOff()).as("a blank line is nothing").isFalse();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\'',
      value = {
        "'{\"session\":1}' | is missing",
        "'{\"ns\":-1,\"session\":1,\"event\":\"ended\"}' | is -1",
        "'{\"ns\":1,\"session\":1,\"way\":\"UP\",\"held\":1}' | no such way",
        "'[]' | no JSON object",
        "'{\"ns\":' | no JSON",
        "'{\"ns\":{}}' | no plain value",
      })
  void whatIsNoEntryIsRefused(String line, String why) {
    String text = written(Dialect.UPSTREAM, List.of()) + line + "\n{}\n";

    assertThatThrownBy(() -> read(text))
        .isInstanceOf(VhostException.class)
        .hasMessageStartingWith("line 2: ")
        .hasMessageContaining(why);
  }

  @Test
  void payloadsThatDoNotFitAreRefused() {
    String head = written(Dialect.UPSTREAM, List.of());
    for (String end : Arrays.asList("\"payload\":\"0g\"}", "\"payload\":\"00\"}")) {
      String line =
          "{\"ns\":1,\"held\":1,\"session\":1,\"way\":\"ASKED\",\"id\":1,\"flags\":1,\"size\":2,\"fds\":0,"
              + end;

      assertThatThrownBy(() -> read(head + line + "\n")).isInstanceOf(VhostException.class);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\'',
      value = {
        "'' | it is empty",
        "'hello' | is not that of a capture",
        "'{\"jvhostPlan\":1}' | is not that of a capture",
        "'{\"jvhostCapture\":2}' | it is a capture in version 2 of the format, and only version 1",
      })
  void aFileThatIsNoCaptureIsToldFromOneOfAnotherVersion(String file, String why) {
    assertThatThrownBy(() -> read(file))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining(why);
  }

  /** As /dev/zero is: whoever looks for the end of a line finds none. */
  private static Reader endless(String begin) {
    return new Reader() {
      private int at;

      @Override
      public int read(char[] into, int from, int length) {
        for (int i = 0; i < length; i++) {
          into[from + i] = at < begin.length() ? begin.charAt(at) : 'x';
          at = Math.min(at + 1, begin.length());
        }
        return length;
      }

      @Override
      public void close() {}
    };
  }

  @Test
  void aLineWithoutEndIsRefused() {
    String head = written(Dialect.UPSTREAM, List.of());

    assertThatThrownBy(() -> CaptureReader.read(new BufferedReader(endless(""))))
        .hasMessageContaining("is not that of a capture");
    assertThatThrownBy(() -> CaptureReader.read(new BufferedReader(endless(head))))
        .hasMessageStartingWith("line 2: it has more than 65536 characters");
  }
}
