package io.github.jvhost.testkit.junit;

import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.RuleBreach;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * All mock back ends of one test. A test gets it as a parameter from a {@link MockBackEndExtension}
 * when it needs more back ends, or back ends with other settings. Thread-safe.
 */
public final class MockBackEnds {
  /**
   * How long to wait for a front end's hang-up, so that its last messages are read. A front end
   * that is still connected delays the end of a test by this time at most.
   */
  private static final Duration LAST_WORDS = Duration.ofSeconds(1);

  private final Consumer<MockBackEnd.Builder> settings;
  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private final Path directory;
  // Guarded by this.
  private final List<MockBackEnd> started = new ArrayList<>();
  private final List<MockBackEnd> parameters = new ArrayList<>();

  MockBackEnds(Consumer<MockBackEnd.Builder> settings) {
    this.settings = settings;
    try {
      // Not JUnit's directory, whose path may be too long: a socket's path has at most 107 bytes.
      this.directory = Files.createTempDirectory("jvhost");
    } catch (IOException e) {
      throw new UncheckedIOException("making a directory for sockets", e);
    }
  }

  /** {@return the test's ledger, which also lists the descriptors of the back ends} */
  public DescriptorLedger ledger() {
    return ledger;
  }

  /**
   * Starts one more back end, at a new socket.
   *
   * @param more settings, applied after those of the extension
   * @return the back end; it is closed at the end of the test, if the test has not closed it
   */
  public synchronized MockBackEnd start(Consumer<MockBackEnd.Builder> more) {
    Path socket = directory.resolve("back-end-" + (started.size() + 1));
    MockBackEnd.Builder builder = MockBackEnd.builder(socket, ledger);
    settings.andThen(more).accept(builder);
    MockBackEnd backEnd = builder.start();
    started.add(backEnd);
    return backEnd;
  }

  /** Returns the n-th back end for parameters, from 0. */
  synchronized MockBackEnd numbered(int place) {
    while (parameters.size() <= place) {
      parameters.add(start(_ -> {}));
    }
    return parameters.get(place);
  }

  /** Closes all back ends. Returns the problems that were found. */
  synchronized List<String> end(Set<RuleBreach.Rule> tolerated) {
    Deadline lastWords = Deadline.after(LAST_WORDS);
    try {
      for (MockBackEnd backEnd : started) {
        backEnd.record().await(r -> r.disconnections() == r.connections(), lastWords);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // JUnit handles the interrupt; closing goes on
    }
    started.forEach(MockBackEnd::close);
    removeDirectory();
    List<String> wrong = new ArrayList<>();
    for (MockBackEnd backEnd : started) {
      backEnd.record().violations().stream()
          .filter(breach -> !tolerated.contains(breach.rule()))
          .forEach(breach -> wrong.add(name(backEnd) + ": the front end broke a rule: " + breach));
    }
    ledger.describeOpen().forEach(open -> wrong.add("left open: " + open));
    return wrong;
  }

  /** Returns the messages of all back ends as text. */
  synchronized String conversation() {
    return started.stream()
        .map(backEnd -> Conversation.of(name(backEnd), backEnd.record()))
        .collect(Collectors.joining("\n"));
  }

  private static String name(MockBackEnd backEnd) {
    return String.valueOf(backEnd.socket().getFileName());
  }

  private void removeDirectory() {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("removing the directory of the sockets", e);
    }
  }
}
