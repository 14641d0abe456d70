package io.github.jvhost.cli;

import io.github.jvhost.channel.backend.Relay;
import io.github.jvhost.channel.backend.RelayObserver;
import io.github.jvhost.channel.backend.RelayedMessage;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.trace.CaptureEntry;
import io.github.jvhost.testkit.trace.CaptureLine;
import io.github.jvhost.testkit.trace.CaptureQueue;
import io.github.jvhost.testkit.trace.CaptureWriter;
import io.github.jvhost.testkit.trace.RelayCounts;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost proxy}. */
@Command(
    name = "proxy",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Sits between a front end and a back end, and shows every message that it passes on.",
      "  -> front end to back end     <= a request on the back end's own channel",
      "  <- back end to front end     => the front end's answer to it",
      """
      Start it, then point the front end at LISTEN instead of CONNECT. It serves one front end at \
      a time, one after the other. It runs until it is interrupted; then it prints a summary. \
      With --json, messages go to standard error.\
      """,
      ""
    },
    footer = {
      "",
      """
      It passes messages on unchanged with their descriptors, valid or not. After a header that \
      announces more than 4096 bytes, it passes on the rest of that direction as raw bytes. Packets \
      do not pass through the proxy: traffic between guest and back end is as fast as without it.\
      """,
      "",
      "  jvhost proxy /run/proxy /run/vhost0 --save session.jsonl"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:it was ended, by a signal or --for",
      "1:it could not listen or save",
      "2:the command line is wrong"
    })
final class ProxyCommand implements Callable<Integer> {
  private static final Duration LOOK = Duration.ofMillis(200);

  @Spec private CommandSpec spec;

  @Parameters(
      index = "0",
      paramLabel = "LISTEN",
      description =
          "Where front ends shall connect; a socket that nobody serves any more is replaced.")
  private Path listen;

  @Parameters(index = "1", paramLabel = "CONNECT", description = "The back end's socket.")
  private Path connect;

  @Option(
      names = "--save",
      paramLabel = "FILE",
      description =
          """
          Write a capture too, for `jvhost trace`: a JSON object a line, payloads in hex, \
          descriptors only counted, nothing of guest memory. An existing file is replaced.\
          """)
  private @Nullable Path save;

  @Option(names = "--quiet", description = "Show no messages; only what was seen, in the end.")
  private boolean quiet;

  @Option(
      names = "--dialect",
      paramLabel = "DIALECT",
      completionCandidates = Candidates.Dialects.class,
      description =
          """
          What numbers mean: upstream, rfc-2023, nvidia-qemu-8-2, or BIT:ID for PRESETUP with \
          numbers of your own (default: upstream). It changes what is shown, not what is \
          passed on.\
          """)
  private String dialectName = "upstream";

  @Mixin private RunsFor runsFor;

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  ProxyCommand() {}

  /** An observer that does nothing, for --quiet without --save. */
  private record NoObserver() implements RelayObserver {
    @Override
    public void connected(int session, long nanos) {}

    @Override
    public void passed(RelayedMessage message) {}

    @Override
    public void ended(int session, long nanos, String why) {}
  }

  @Override
  public Integer call() {
    Words.requireNamed(spec, "LISTEN", listen);
    Words.requireNamed(spec, "CONNECT", connect);
    if (listen.toAbsolutePath().normalize().equals(connect.toAbsolutePath().normalize())) {
      throw new ParameterException(
          spec.commandLine(), "LISTEN and CONNECT are the same: it would connect to itself");
    }
    Dialect dialect = Words.dialect(spec, dialectName);
    DescriptorLedger ledger = DescriptorLedger.counting();
    var queue = new CaptureQueue(dialect);
    var counts = new RelayCounts(quiet && save == null ? new NoObserver() : queue);
    // It listens before it opens the file, so that a failure to listen does not replace an earlier
    // capture.
    try (queue;
        var signals = new EndOnSignal();
        var relay = Relay.start(listen, connect, ledger, counts);
        @Nullable CaptureWriter writer = writer(dialect)) {
      output.announce("listening at " + listen + ", for the back end at " + connect);
      try {
        watch(relay, queue, writer, dialect);
      } finally {
        end(relay, queue);
      }
      handle(queue.rest(), writer, dialect);
      output.print(ProxySummary.of(listen, connect, counts));
      signals.exitCode(0);
    }
    return 0;
  }

  /** Ends the relay. Messages that are still in the queue stay there. */
  private static void end(Relay relay, CaptureQueue queue) {
    // A second signal does not disturb the normal end.
    var _ = Thread.interrupted();
    queue.close(); // if saving has failed, the relay must not wait for a taker
    relay.close();
  }

  private @Nullable CaptureWriter writer(Dialect dialect) {
    Path file = save;
    if (file == null) {
      return null;
    }
    OutputFile.requireWritable(file);
    try {
      return CaptureWriter.begin(
          Files.newBufferedWriter(file),
          listen.toString(),
          connect.toString(),
          Instant.now(),
          dialect);
    } catch (IOException e) {
      throw OutputFile.failed(file, e);
    }
  }

  private void watch(
      Relay relay, CaptureQueue queue, @Nullable CaptureWriter writer, Dialect dialect) {
    Deadline end = runsFor.end();
    try {
      while (!end.expired() && relay.isAlive()) {
        Duration left = Duration.ofNanos(end.remainingNanos());
        handle(queue.take(left.compareTo(LOOK) < 0 ? left : LOOK), writer, dialect);
      }
    } catch (InterruptedException e) {
      // The interrupt ends the command.
    }
  }

  private void handle(List<CaptureEntry> entries, @Nullable CaptureWriter writer, Dialect dialect) {
    if (entries.isEmpty()) {
      return;
    }
    if (writer != null) {
      entries.forEach(writer::write);
      writer.flush();
    }
    if (!quiet) {
      PrintWriter to = output.messages();
      entries.forEach(entry -> to.println(CaptureLine.of(entry, dialect)));
      to.flush();
    }
  }
}
