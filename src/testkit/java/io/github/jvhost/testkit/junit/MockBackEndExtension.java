package io.github.jvhost.testkit.junit;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RuleBreach;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Gives each test its own mock back ends, and checks them after the test. Register one per class,
 * in a static field with {@code @RegisterExtension}.
 *
 * <p>Parameters of test methods, and of {@code @BeforeEach} and {@code @AfterEach} methods, get:
 *
 * <table>
 *   <caption>What a parameter gets</caption>
 *   <tr><th>type</th><th>value</th></tr>
 *   <tr><td>{@link MockBackEnd}</td><td>a back end that listens at a new socket; the n-th such parameter gets the n-th back end of the test, the same one in all methods</td>
 *   </tr>
 *   <tr><td>{@link DescriptorLedger}</td><td>the test's ledger, which traces; every descriptor in it has to be closed when the test ends</td></tr>
 *   <tr><td>{@link MockBackEnds}</td><td>starts more back ends, with other settings</td></tr>
 * </table>
 *
 * <p>After the {@code @AfterEach} methods the extension closes all back ends of the test. The test
 * fails when a front end broke a rule ({@link RuleBreach}) or a descriptor of the ledger is open.
 * When a test fails for any reason, a suppressed exception shows the messages of its back ends.
 *
 * <p>Immutable: tests may run in parallel. JUnit's store holds everything that belongs to a test.
 */
public final class MockBackEndExtension implements ParameterResolver, AfterEachCallback {
  private static final String KEY = "back ends";

  private final Consumer<MockBackEnd.Builder> settings;
  private final Set<RuleBreach.Rule> tolerated;

  private MockBackEndExtension(
      Consumer<MockBackEnd.Builder> settings, Set<RuleBreach.Rule> tolerated) {
    this.settings = settings;
    this.tolerated = tolerated;
  }

  /**
   * {@return an extension whose back ends offer what this personality offers by default}
   *
   * @param personality how they behave where the specification leaves a choice
   */
  public static MockBackEndExtension of(Personality personality) {
    return of(BackEndOffer.of(personality));
  }

  /**
   * {@return an extension whose back ends offer this}
   *
   * @param offer the offer, its personality included
   */
  public static MockBackEndExtension of(BackEndOffer offer) {
    return new MockBackEndExtension(backEnd -> backEnd.offer(offer), Set.of());
  }

  /**
   * {@return the same extension with more settings for each back end: faults, a port, prices}
   *
   * @param more called for each back end that is started, on the thread of its test, after the
   *     earlier settings; it has to create objects that parallel tests must not share
   */
  public MockBackEndExtension with(Consumer<MockBackEnd.Builder> more) {
    return new MockBackEndExtension(settings.andThen(more), tolerated);
  }

  /**
   * {@return the same extension, which lets a front end break some rules}
   *
   * @param rules rules that are known to be broken, added to the earlier ones; the back end's
   *     record still has each breach
   */
  public MockBackEndExtension tolerating(RuleBreach.Rule... rules) {
    Set<RuleBreach.Rule> more = EnumSet.noneOf(RuleBreach.Rule.class);
    more.addAll(tolerated);
    more.addAll(List.of(rules));
    return new MockBackEndExtension(settings, more);
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    return context.getTestMethod().isPresent() && supports(parameter.getParameter().getType());
  }

  /** Only types of jvhost: any other type may be an argument of a parameterized test. */
  private static boolean supports(Class<?> type) {
    return type == MockBackEnd.class
        || type == MockBackEnds.class
        || type == DescriptorLedger.class;
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
    MockBackEnds backEnds =
        store(context).computeIfAbsent(KEY, _ -> new MockBackEnds(settings), MockBackEnds.class);
    Class<?> type = parameter.getParameter().getType();
    if (type == MockBackEnds.class) {
      return backEnds;
    }
    if (type == DescriptorLedger.class) {
      return backEnds.ledger();
    }
    return backEnds.numbered(place(parameter));
  }

  /** Returns how many parameters for a back end come before this one. */
  private static int place(ParameterContext parameter) {
    return (int)
        Arrays.stream(parameter.getDeclaringExecutable().getParameters())
            .limit(parameter.getIndex())
            .filter(p -> p.getType() == MockBackEnd.class)
            .count();
  }

  @Override
  public void afterEach(ExtensionContext context) {
    MockBackEnds backEnds = store(context).remove(KEY, MockBackEnds.class);
    if (backEnds == null) {
      return; // the test has no parameters of ours
    }
    List<String> wrong = backEnds.end(tolerated);
    if (!wrong.isEmpty()) {
      // If the test has failed already, JUnit shows this below its failure.
      throw new AssertionError(String.join("\n", wrong) + "\n" + backEnds.conversation());
    }
    context
        .getExecutionException()
        .ifPresent(failure -> failure.addSuppressed(new Received(backEnds.conversation())));
  }

  private ExtensionContext.Store store(ExtensionContext context) {
    return context.getStore(ExtensionContext.Namespace.create(MockBackEndExtension.class, this));
  }

  /** Shown below a failure. It has no stack trace, because that would be of no use. */
  private static final class Received extends Exception {
    private static final long serialVersionUID = 1;

    Received(String conversation) {
      super(conversation, null, false, false);
    }
  }
}
