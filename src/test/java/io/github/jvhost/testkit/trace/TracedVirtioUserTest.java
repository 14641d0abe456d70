package io.github.jvhost.testkit.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The fixture against what virtio-user said to a real back end. */
class TracedVirtioUserTest {
  private static final String TRACE = "vuser-mq2.txt";

  // The second device asked for packed rings.
  @ParameterizedTest
  @CsvSource({"vh0, false", "vh1, true"})
  void itSaidToARealBackEndWhatTheFixtureHas(String device, boolean packed) {
    assumeTrue(Files.exists(TraceFile.TRACES.resolve(TRACE)), "no trace " + TRACE);

    List<String> said =
        TraceFile.read(TRACE).stream()
            .filter(TraceFile.Message.class::isInstance)
            .map(TraceFile.Message.class::cast)
            .filter(message -> message.toBackEnd() && message.device().equals(device))
            .map(message -> Conversation.common(message.text(), packed))
            .toList();

    assertThat(Conversation.ringByRing(said)).containsExactlyElementsOf(Conversation.virtioUser());
  }
}
