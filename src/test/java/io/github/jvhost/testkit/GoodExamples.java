package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.junit.MockBackEndExtension;
import io.github.jvhost.testkit.junit.MockBackEnds;
import io.github.jvhost.testkit.net.ReflectingPort;
import java.nio.file.Path;
import java.util.Collection;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests that succeed; {@link MockBackEndExtensionTest} runs them, several at a time. */
class GoodExamples {
  static final int TESTS = 8 + 3 + 2;
  static final Collection<Path> SOCKETS = new ConcurrentLinkedQueue<>();

  @RegisterExtension
  static final MockBackEndExtension backEnds =
      MockBackEndExtension.of(BackEndOffer.of(Personality.DPDK).withQueuePairs(1))
          .with(backEnd -> backEnd.port(new ReflectingPort("mirror", 16)));

  private MockBackEnd first;
  private @Nullable TestFrontEnd guest;

  @BeforeEach
  void remember(MockBackEnd backEnd) {
    first = backEnd;
    SOCKETS.add(backEnd.socket());
  }

  @RepeatedTest(8)
  void theExtensionsSettingsHold(MockBackEnd backEnd, DescriptorLedger ledger) {
    assertThat(backEnd).isSameAs(first);
    assertThat(backEnd.offer().queuePairs()).isEqualTo(1);
    try (TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.start();
      guest.offerBuffer(TestFrontEnd.BUFFER);
      guest.send(TestFrontEnd.frame(1, 60));

      assertThat(guest.called(0)).as("the frame came back").isTrue();
      assertThat(guest.usedIndex(0)).isEqualTo(1);
    }
  }

  @Test
  void severalHaveSocketsOfTheirOwn(
      MockBackEnd source, @TempDir Path notASocket, MockBackEnd target) {
    SOCKETS.add(target.socket());
    assertThat(source).isSameAs(first);
    assertThat(target.socket()).isNotEqualTo(source.socket());
    assertThat(notASocket).isDirectory();
  }

  @ParameterizedTest
  @ValueSource(strings = {"one", "two"})
  void aPathIsAnArgumentLikeAnyOther(Path argument, MockBackEnd backEnd) {
    assertThat(argument).isRelative();
    assertThat(backEnd).isSameAs(first);
  }

  @Test
  void oneMoreHasSettingsBesidesTheExtensions(MockBackEnds all) {
    MockBackEnd other = all.start(backEnd -> backEnd.name("other"));
    SOCKETS.add(other.socket());
    assertThat(other.offer().queuePairs()).isEqualTo(1);
    try (TestFrontEnd guest = new TestFrontEnd(other, all.ledger())) {
      guest.start();
      other.crash(); // closing it again does no harm
    }
  }

  @Test
  void aFrontEndMayBeThereUntilTheEnd(MockBackEnd backEnd, DescriptorLedger ledger) {
    guest = new TestFrontEnd(backEnd, ledger);
    guest.start();
  }

  @AfterEach
  void closesBeforeTheExtensionLooks(DescriptorLedger ledger) {
    if (guest != null) {
      assertThat(ledger.openCount()).isPositive();
      guest.close();
    }
  }
}
