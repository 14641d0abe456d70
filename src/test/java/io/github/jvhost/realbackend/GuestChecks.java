package io.github.jvhost.realbackend;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;

/**
 * Checks that run in a {@link KernelGuest}, one after the other, so that it boots once for all.
 *
 * @param <T> has the checks as methods
 */
final class GuestChecks<T> {
  /** Each closes all that it opens. */
  private record Check<T>(String name, Consumer<T> run) {
    private String passed() {
      return "PASSED: " + name;
    }
  }

  private final Function<DescriptorLedger, T> guest;
  private final List<Check<T>> checks = new ArrayList<>();

  private GuestChecks(Function<DescriptorLedger, T> guest) {
    this.guest = guest;
  }

  /** None yet. Each of them runs on an object of its own. */
  static <T> GuestChecks<T> in(Function<DescriptorLedger, T> guest) {
    return new GuestChecks<>(guest);
  }

  /** Adds one. */
  GuestChecks<T> check(String name, Consumer<T> run) {
    checks.add(new Check<>(name, run));
    return this;
  }

  /** In the guest: runs all of them, prints a line for each, and ends this process. */
  void run() {
    for (Check<T> check : checks) {
      try {
        DescriptorLedger ledger = DescriptorLedger.tracing();
        check.run.accept(guest.apply(ledger));
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
  Stream<DynamicTest> tests(String printed) {
    return checks.stream()
        .map(check ->
            DynamicTest.dynamicTest(
                check.name, () -> assertThat(printed).contains(check.passed())));
  }
}
