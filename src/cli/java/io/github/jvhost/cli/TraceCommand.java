package io.github.jvhost.cli;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.testkit.trace.Capture;
import io.github.jvhost.testkit.trace.CaptureEntry;
import io.github.jvhost.testkit.trace.CaptureReader;
import io.github.jvhost.testkit.trace.SessionPhase;
import io.github.jvhost.testkit.trace.TracedSession;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code jvhost trace}. */
@Command(
    name = "trace",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      """
      Shows a capture that 'jvhost proxy --save' wrote: the messages, or some of them, and what \
      each session cost.\
      """,
      "",
      "negotiate  features and limits are asked for",
      "configure  features, memory, rings are sent",
      "start      from the first kick descriptor or DRIVER_OK until every",
      "           ring that was set up runs",
      "run        the guest uses it",
      "stop       rings are disabled or read back, or the device is reset",
      "",
      """
      --request, --direction, --phase, --from and --to choose messages. What a session cost is \
      always that of the whole session, so they change nothing with --summary or --what-if.\
      """,
      ""
    },
    footer = {
      "",
      """
      A reply's time counts from the moment when its request was passed on, or when the previous \
      reply had come, whichever was later. The next reply includes the work of messages that \
      have no answer.\
      """,
      "",
      "  jvhost trace session.jsonl --what-if",
      "  jvhost trace session.jsonl --phase=stop --request=get-vring-base"
    },
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:shown",
      "1:the file cannot be read, is no capture, or has no such session",
      "2:the command line is wrong"
    })
final class TraceCommand implements Callable<Integer> {
  private static final Pattern NUMBER = Pattern.compile("[0-9]{1,10}");

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "FILE",
      description = "The capture, packed with gzip or not; - is standard input.")
  private String file;

  @Option(
      names = "--request",
      paramLabel = "NAME",
      completionCandidates = Candidates.Requests.class,
      split = ",",
      description = "Only these requests and their replies, by name or number: set-mem-table, 11.")
  private List<String> requests = List.of();

  @Option(
      names = "--direction",
      paramLabel = "WAY",
      completionCandidates = Candidates.Directions.class,
      description =
          "Only to-back-end, to-front-end, or channel (the back end's own, both directions).")
  private @Nullable String direction;

  @Option(
      names = "--phase",
      paramLabel = "PHASE",
      completionCandidates = Candidates.Phases.class,
      description = "Only negotiate, configure, start, run or stop.")
  private @Nullable String phase;

  @Option(
      names = "--session",
      paramLabel = "N",
      description = "Only this session, its messages and its cost; they count from 1.")
  private @Nullable Integer session;

  @Option(
      names = "--from",
      paramLabel = "TIME",
      converter = TimeSpan.Converter.class,
      description = "Only what was later than this after the capture began: 200ms, 10s, 5m.")
  private @Nullable TimeSpan from;

  @Option(
      names = "--to",
      paramLabel = "TIME",
      converter = TimeSpan.Converter.class,
      description = "Only what was not; not before --from.")
  private @Nullable TimeSpan to;

  @Option(names = "--summary", description = "No messages, only what each session cost.")
  private boolean summary;

  @Option(
      names = "--what-if",
      description =
          """
          Show what setting the device up would have cost with pipelining, and with presetup \
          before the stop window: an estimate from the reply times of the messages that would \
          remain. Implies --summary.\
          """)
  private boolean whatIf;

  @Mixin private Output output;

  @SuppressWarnings("NullAway.Init") // picocli sets the fields
  TraceCommand() {}

  @Override
  public Integer call() {
    requireSense();
    TraceFilter filter = filter();
    Capture capture =
        InputFile.use(
            file,
            System.in,
            stream ->
                CaptureReader.read(
                    new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))));
    List<TracedSession> sessions = wanted(TracedSession.of(capture));
    List<CaptureEntry> shown = summary || whatIf ? List.of() : filter.shown(capture, sessions);
    output.print(TraceSummary.of(file, capture, shown, sessions, whatIf));
    return 0;
  }

  private void requireSense() {
    if (session != null && session < 1) {
      throw new ParameterException(
          spec.commandLine(), "--session: sessions count from 1, not " + session);
    }
    if (from != null && to != null && from.duration().compareTo(to.duration()) > 0) {
      throw new ParameterException(spec.commandLine(), "--from is later than --to");
    }
  }

  private List<TracedSession> wanted(List<TracedSession> sessions) {
    if (session == null) {
      return sessions;
    }
    List<TracedSession> wanted =
        sessions.stream().filter(each -> each.session() == session).toList();
    if (wanted.isEmpty()) {
      String there =
          switch (sessions.size()) {
            case 0 -> "there are no sessions";
            case 1 -> "there is 1 session";
            default -> "there are " + sessions.size() + " sessions";
          };
      throw new VhostException(
          "%s: no session %d: %s".formatted(file, session, there), Recovery.GIVE_UP);
    }
    return wanted;
  }

  private TraceFilter filter() {
    return new TraceFilter(
        requests.stream().map(this::request).toList(),
        direction == null
            ? null
            : Words.choose(spec, "--direction", direction, TraceFilter.DIRECTIONS, word -> word),
        phase == null
            ? null
            : Words.choose(
                spec, "--phase", phase, Arrays.asList(SessionPhase.values()), Words::label),
        from == null ? 0 : from.duration().toNanos(),
        to == null ? Long.MAX_VALUE : to.duration().toNanos());
  }

  /** Returns the request's name in a capture, or its number. */
  private String request(String word) {
    if (NUMBER.matcher(word).matches()) {
      return word;
    }
    String name = word.toUpperCase(Locale.ROOT).replace('-', '_');
    boolean known =
        Stream.<Enum<?>[]>of(FrontEndRequest.values(), BackEndRequest.values())
            .flatMap(Arrays::stream)
            .anyMatch(request -> request.name().equals(name));
    if (!known) {
      throw new ParameterException(
          spec.commandLine(), "--request: '%s' is no request".formatted(word));
    }
    return name;
  }
}
