package io.github.jvhost.realbackend;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;

/** Checks that run in a {@link KernelGuest}, one after the other, so that it boots once for all. */
final class GuestChecks {
  private GuestChecks() {}

  /**
   * One of them.
   *
   * @param name of the test
   * @param run in the guest; it closes all that it opens
   */
  record Check(String name, Consumer<DescriptorLedger> run) {
    private String passed() {
      return "PASSED: " + name;
    }
  }

  /** In the guest: runs all of them, and prints a line for each. */
  static void run(List<Check> checks) {
    for (Check check : checks) {
      try {
        DescriptorLedger ledger = DescriptorLedger.tracing();
        check.run.accept(ledger);
        assertThat(ledger.describeOpen()).isEmpty();
        System.out.println(check.passed());
      } catch (RuntimeException | AssertionError e) {
        System.out.println("FAILED: " + check.name);
        e.printStackTrace(System.out);
      }
    }
    System.exit(0);
  }

  /** Outside: one test for each, from what was printed. */
  static Stream<DynamicTest> tests(List<Check> checks, String printed) {
    return checks.stream()
        .map(check ->
            DynamicTest.dynamicTest(
                check.name, () -> assertThat(printed).contains(check.passed())));
  }
}
