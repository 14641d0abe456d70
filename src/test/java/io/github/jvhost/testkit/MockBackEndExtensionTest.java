package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.junit.MockBackEndExtension;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.testkit.engine.EngineTestKit;

/** What the extension makes of good tests and of bad ones, which JUnit runs here inside a test. */
class MockBackEndExtensionTest {
  private static List<Throwable> failures(EngineTestKit.Builder tests) {
    return tests.execute().testEvents().failed().stream()
        .flatMap(event -> event.getPayload(TestExecutionResult.class).stream())
        .flatMap(result -> result.getThrowable().stream())
        .toList();
  }

  private static EngineTestKit.Builder jupiter() {
    return EngineTestKit.engine("junit-jupiter");
  }

  /** Why a bad test failed. */
  private static Throwable failure(String method) {
    List<Throwable> failures =
        failures(
            jupiter()
                .selectors(
                    selectMethod(
                        BadExamples.class,
                        method,
                        MockBackEnd.class.getName() + "," + DescriptorLedger.class.getName())));
    assertThat(failures).as(method).hasSize(1);
    return failures.getFirst();
  }

  @Test
  void aBrokenRuleFailsATestThatSawNothing() {
    assertThat(failure("breaksARule"))
        .isInstanceOf(AssertionError.class)
        .hasMessageStartingWith("back-end-1: the front end broke a rule: SIZE_WHILE_STARTED: ")
        .message()
        .contains("\nWhat back-end-1 received:\n  connection 1\n")
        .containsSubsequence("-> SET_VRING_KICK", "-> SET_VRING_NUM", "vq=1 num=16");
  }

  @Test
  void aFrontEndThatTheBackEndHangsUpOnFailsATest() {
    assertThat(failure("isHungUpOn"))
        .hasMessageStartingWith("back-end-1: the front end broke a rule: MALFORMED: ")
        .message()
        .contains("\nWhat back-end-1 received:\n  connection 1\n")
        .containsSubsequence("-> SET_VRING_NUM", "vq=0 num=300", "\n  ### hung up at message 8");
  }

  @Test
  void whatAFrontEndSaysLastIsHeardBeforeTheBackEndIsClosed() {
    assertThat(failure("breaksARuleAtTheEnd")).hasMessageContaining("SIZE_WHILE_STARTED");
  }

  @Test
  void aDescriptorThatStaysOpenFailsATest() {
    assertThat(failure("leaksADescriptor"))
        .isInstanceOf(AssertionError.class)
        .message()
        .startsWith("left open: eventfd forgotten (fd ")
        .contains("opened at BadExamples.leaksADescriptor(BadExamples.java:")
        .endsWith("What back-end-1 received: nothing");
  }

  @Test
  void aConnectionThatStaysOpenFailsATest() {
    assertThat(failure("leavesItsConnectionOpen"))
        .isInstanceOf(AssertionError.class)
        .message()
        .startsWith("left open: socket net0 (fd ")
        .containsOnlyOnce("left open");
  }

  @Test
  void aFailureOfAnyKindHasTheConversationBelowIt() {
    Throwable failure = failure("failsByItself");

    assertThat(failure).hasMessage("by itself");
    assertThat(failure.getSuppressed())
        .singleElement()
        .satisfies(told ->
            assertThat(told.getMessage())
                .startsWith("What back-end-1 received:")
                .containsSubsequence("-> GET_PROTOCOL_FEATURES", "-> SET_FEATURES"));
  }

  @Test
  void aFailureKeepsItsPlaceWhereARuleIsBrokenToo() {
    Throwable failure = failure("failsAndBreaksARule");

    assertThat(failure).hasMessage("by itself");
    assertThat(failure.getSuppressed())
        .singleElement()
        .satisfies(wrong ->
            assertThat(wrong)
                .hasMessageContaining("broke a rule: SIZE_WHILE_STARTED")
                .hasMessageContaining("What back-end-1 received:"));
  }

  @Test
  void aLongConversationIsShownFromItsEnd() {
    assertThat(failure("talksMuch").getSuppressed()[0].getMessage())
        .contains(" earlier messages)\n")
        .endsWith("u64=0x12b")
        .satisfies(
            told -> assertThat(told.lines().filter(line -> line.contains("->"))).hasSize(200));
  }

  @Test
  void goodTestsSucceedAlsoAtTheSameTime() {
    GoodExamples.SOCKETS.clear();
    jupiter()
        .selectors(selectClass(GoodExamples.class))
        .configurationParameter("junit.jupiter.execution.parallel.enabled", "true")
        .configurationParameter("junit.jupiter.execution.parallel.mode.default", "concurrent")
        .configurationParameter("junit.jupiter.execution.parallel.config.strategy", "fixed")
        .configurationParameter("junit.jupiter.execution.parallel.config.fixed.parallelism", "4")
        .execute()
        .testEvents()
        .assertStatistics(tests -> tests.started(GoodExamples.TESTS).succeeded(GoodExamples.TESTS));

    Set<Path> sockets = Set.copyOf(GoodExamples.SOCKETS);
    assertThat(sockets).as("nobody else's").hasSize(GoodExamples.SOCKETS.size());
    assertThat(sockets).hasSizeGreaterThan(GoodExamples.TESTS);
    for (Path socket : sockets) {
      assertThat(Files.exists(socket.resolveSibling(""))).as("%s is removed", socket).isFalse();
    }
  }

  @Test
  void aRuleThatIsBrokenOnPurposeIsNamed() {
    jupiter()
        .selectors(selectClass(TolerantExample.class))
        .execute()
        .testEvents()
        .assertStatistics(tests -> tests.started(1).succeeded(1));
  }

  @Test
  void whatBelongsToATestIsNotForAllOfThem() {
    List<Throwable> failures =
        jupiter()
            .selectors(selectClass(TooEarlyExample.class))
            .execute()
            .containerEvents()
            .failed()
            .stream()
            .flatMap(event -> event.getPayload(TestExecutionResult.class).stream())
            .flatMap(result -> result.getThrowable().stream())
            .toList();

    assertThat(failures)
        .singleElement()
        .satisfies(failure -> assertThat(failure).hasMessageContaining("No ParameterResolver"));
  }

  /** A front end that was written without care. */
  static class TolerantExample {
    @RegisterExtension
    static final MockBackEndExtension backEnds =
        MockBackEndExtension.of(Personality.GENERIC).tolerating(RuleBreach.Rule.SIZE_WHILE_STARTED);

    @Test
    void breaksIt(MockBackEnd backEnd, DescriptorLedger ledger) {
      try (TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
        BadExamples.resizesARunningRing(guest);
        guest.stop(0);
        assertThat(backEnd.record().violations()).hasSize(1);
      }
    }
  }

  /** There is no test yet that a back end would be for. */
  static class TooEarlyExample {
    @RegisterExtension
    static final MockBackEndExtension backEnds = MockBackEndExtension.of(Personality.GENERIC);

    @BeforeAll
    static void asks(MockBackEnd backEnd) {
      assertThat(backEnd).as("never called").isNull();
    }

    @Test
    void isNotRun() {}
  }
}
