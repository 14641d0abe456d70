package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.RuleBreach.Rule;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A front end that makes the back end hang up has broken a rule; one that says goodbye has not. */
class MalformedMessagesTest {
  @TempDir private Path dir;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @AfterEach
  void nothingIsLeftOpen() {
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** Numbers are of 32 bits: request, flags, size, payload. */
  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "an unknown request, 9999 1 0, message 9999",
    "another version, 1 3 0, version 3",
    "half of a number, 2 1 4 0, SET_FEATURES",
    "a payload of 1 GiB, 1 1 1073741824, 1073741824",
    "a kick without its descriptor, 12 1 8 0 0, SET_VRING_KICK",
    "a memory table without descriptors, 5 1 40 1 0 0 0 4096 0 0 0 0 0, SET_MEM_TABLE",
    "a ring that is not there, 8 1 8 99 16, 99",
    "a size that is no power of two, 8 1 8 0 300, 300",
    "a size that is too large, 8 1 8 0 77777, 77777",
    "half of a header, 1, receiving the header",
    "half of a payload, 2 1 8 0, receiving the payload",
  })
  void whateverCostsTheConnectionIsABreach(String name, String words, String named)
      throws Exception {
    try (MockBackEnd backEnd = start();
        SocketChannel frontEnd = connect(backEnd)) {
      send(frontEnd, words);
      frontEnd.shutdownOutput();

      awaitTheEnd(backEnd, 1);
      assertThat(backEnd.record().violations())
          .singleElement()
          .satisfies(breach -> {
            assertThat(breach.rule()).isEqualTo(Rule.MALFORMED);
            assertThat(breach.what()).contains(named);
          });
      assertThat(backEnd.record().notes()).hasSize(1);
    }
  }

  @Test
  void aHangUpThatAnotherRuleExplainsIsOneBreach() throws Exception {
    try (MockBackEnd backEnd = start();
        SocketChannel frontEnd = connect(backEnd)) {
      send(frontEnd, "39 1 8 15 0"); // SET_STATUS, which was not negotiated

      awaitTheEnd(backEnd, 1);
      assertThat(backEnd.record().violations())
          .extracting(RuleBreach::rule)
          .containsExactly(Rule.NOT_NEGOTIATED);
    }
  }

  @Test
  void aScriptedRefusalIsNoBreach() throws Exception {
    try (MockBackEnd backEnd = start();
        SocketChannel frontEnd = connect(backEnd)) {
      backEnd.arm(Faults.none().at(FrontEndRequest.SET_OWNER, 1, new Faults.Wrong.Refuse()));
      send(frontEnd, "3 1 0");

      awaitTheEnd(backEnd, 1);
      assertThat(backEnd.record().violations()).isEmpty();
      assertThat(backEnd.record().notes()).singleElement().asString().contains("scripted");
    }
  }

  @Test
  void anEndBetweenTwoMessagesIsNeitherABreachNorANote() throws Exception {
    try (MockBackEnd backEnd = start()) {
      try (SocketChannel frontEnd = connect(backEnd)) {
        send(frontEnd, "3 1 0");
      }

      awaitTheEnd(backEnd, 1);
      assertThat(backEnd.record().names()).containsExactly("SET_OWNER");
      assertThat(backEnd.record().violations()).isEmpty();
      assertThat(backEnd.record().notes()).isEmpty();
    }
  }

  @Test
  void whoeverOnlyLooksWhetherSomebodyListensIsNoFrontEnd() throws Exception {
    try (MockBackEnd backEnd = start()) {
      connect(backEnd).close();
      try (SocketChannel frontEnd = connect(backEnd)) {
        send(frontEnd, "3 1 0");
      }

      awaitTheEnd(backEnd, 1);
      assertThat(backEnd.record().connections()).isEqualTo(1);
      assertThat(backEnd.record().messages())
          .extracting(RecordedMessage::connection)
          .containsExactly(1);
      assertThat(backEnd.record().notes()).isEmpty();
    }
  }

  private MockBackEnd start() {
    return MockBackEnd.builder(dir.resolve("nic"), ledger)
        .offer(BackEndOffer.of(Personality.GENERIC))
        .start();
  }

  private static SocketChannel connect(MockBackEnd backEnd) throws IOException {
    SocketChannel socket = SocketChannel.open(StandardProtocolFamily.UNIX);
    assertThat(socket.connect(UnixDomainSocketAddress.of(backEnd.socket()))).isTrue();
    return socket;
  }

  private static void send(SocketChannel socket, String words) throws IOException {
    String[] numbers = words.split(" ", -1);
    ByteBuffer bytes =
        ByteBuffer.allocate(Integer.BYTES * numbers.length).order(ByteOrder.nativeOrder());
    for (String number : numbers) {
      bytes.putInt(Integer.parseInt(number));
    }
    bytes.flip();
    while (bytes.hasRemaining()) {
      assertThat(socket.write(bytes)).isPositive();
    }
  }

  private static void awaitTheEnd(MockBackEnd backEnd, int connections)
      throws InterruptedException {
    assertThat(backEnd.record().await(r -> r.disconnections() == connections, TestFrontEnd.soon()))
        .isTrue();
  }
}
