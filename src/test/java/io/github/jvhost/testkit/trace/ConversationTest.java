package io.github.jvhost.testkit.trace;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** Which differences between two conversations count. */
class ConversationTest {
  /** Newer releases of DPDK go through the rings by number. */
  @Test
  void ringsInAnyOrderAreTheSameConversation() {
    List<String> receiveFirst =
        List.of("OWNER", "NUM vq=0", "KICK vq=0", "NUM vq=2", "KICK vq=2", "NUM vq=1", "KICK vq=1");
    List<String> byNumber =
        List.of("OWNER", "NUM vq=0", "KICK vq=0", "NUM vq=1", "KICK vq=1", "NUM vq=2", "KICK vq=2");

    assertThat(Conversation.ringByRing(receiveFirst))
        .isEqualTo(byNumber)
        .isEqualTo(Conversation.ringByRing(byNumber));
  }

  @Test
  void whatOneRingIsToldHasAnOrder() {
    assertThat(Conversation.ringByRing(List.of("KICK vq=1", "NUM vq=1", "NUM vq=0")))
        .isEqualTo(List.of("NUM vq=0", "KICK vq=1", "NUM vq=1"));
  }

  @Test
  void nothingPassesAMessageThatIsAboutNoRing() {
    List<String> told = List.of("ENABLE vq=1", "SET_STATUS", "ENABLE vq=0");

    assertThat(Conversation.ringByRing(told)).isEqualTo(told);
  }

  @Test
  void theRecordedConversationLacksNothing() {
    List<String> recorded = Conversation.virtioUser();

    assertThat(recorded).hasSize(42);
    assertThat(recorded.stream().filter(l -> l.startsWith("SET_VRING_KICK"))).hasSize(4);
  }
}
