package io.github.jvhost.report;

import static java.util.stream.Collectors.groupingBy;
import static java.util.stream.Collectors.mapping;
import static java.util.stream.Collectors.toList;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.jspecify.annotations.Nullable;

/**
 * Reads a flight recording, of which anything may be wrong. It keeps the newest events that concern
 * back ends, as many as one page can show.
 */
final class RecordingReader {
  private static final String EVENTS = "io.github.jvhost.";
  private static final int MOST_MESSAGES = 20_000;
  private static final int MOST_SPANS = 500;
  private static final int LONGEST_TEXT = 300;

  /**
   * How far apart times may be: ten years. Beyond that sums of them could overflow, and what was
   * recorded is no time of one machine.
   */
  private static final long MOST_NANOS = 10L * 366 * 86_400 * 1_000_000_000;

  private final Newest<Told> messages = new Newest<>(MOST_MESSAGES, Told::nanos);
  private final Newest<Of> mediations = new Newest<>(MOST_SPANS, of -> of.span.toNanos());
  private final Newest<Of> plans = new Newest<>(MOST_SPANS, of -> of.span.toNanos());
  private @Nullable Long begin;

  private RecordingReader() {}

  /** A message or an answer, as the front end saw it. */
  record Told(
      long nanos,
      String device,
      String request,
      boolean sent,
      boolean reply,
      boolean needReply,
      int bytes,
      int descriptors) {}

  /** A span of a device. */
  private record Of(String device, Recording.Span span) {}

  /**
   * Reads a file.
   *
   * @param file of less than 2 GiB, which nobody changes meanwhile
   * @throws VhostException (GIVE_UP) when it cannot be read, or has nothing of jvhost in it; says
   *     what to do
   */
  static Recording read(Path file) {
    var reader = new RecordingReader();
    try {
      RecordingFrame.check(file);
      try (var recording = new RecordingFile(file)) {
        while (recording.hasMoreEvents()) {
          reader.take(recording.readEvent());
        }
      }
      return reader.result();
    } catch (VhostException e) {
      throw e;
    } catch (IOException | RuntimeException | VirtualMachineError e) {
      // The JDK's reader meets wrong bytes with every kind of exception. It ends with an error
      // where they say that something is endless, or larger than the heap.
      throw new VhostException(
          "this recording cannot be read (%s); copy or write it again, or if it is large take a part: jfr scrub --include-events 'io.github.jvhost.*' RECORDING.jfr PART.jfr"
              .formatted(shortened(e.toString().replaceAll("\\s+", " "))),
          Recovery.GIVE_UP);
    }
  }

  private void take(RecordedEvent event) {
    switch (event.getEventType().getName()) {
      case EVENTS + "Message" ->
          messages.add(
              new Told(
                  nanos(event, "nanos"),
                  device(event),
                  text(event, "request"),
                  text(event, "direction").equals("sent"),
                  event.getBoolean("reply"),
                  event.getBoolean("needReply"),
                  event.getInt("bytes"),
                  event.getInt("descriptors")));
      case EVENTS + "Mediation" -> {
        String from = text(event, "from");
        int count = event.getInt("messages");
        mediations.add(
            span(
                event,
                text(event, "what"),
                text(event, "backEnd")
                    + (from.isEmpty() ? "" : ", as predicted by " + from)
                    + (count == 0 ? "" : ", " + Figures.counted(count, "message"))));
      }
      case EVENTS + "Plan" ->
          plans.add(
              span(
                  event,
                  "plan " + text(event, "lifecycle"),
                  Figures.counted(event.getInt("steps"), "step")
                      + ", "
                      + Figures.counted(event.getInt("messages"), "message")
                      + ", "
                      + Figures.counted(event.getInt("waits"), "wait")));
      default -> {}
    }
  }

  private Of span(RecordedEvent event, String what, String facts) {
    long from = nanos(event, "startNanos");
    String failure = text(event, "failure");
    return new Of(
        device(event),
        new Recording.Span(
            what,
            facts,
            from,
            Math.max(from, nanos(event, "endNanos")),
            event.getEndTime(),
            failure.isEmpty() ? null : failure,
            List.of()));
  }

  private long nanos(RecordedEvent event, String field) {
    long nanos = event.getLong(field);
    if (begin == null) {
      begin = nanos;
    }
    long since = nanos - begin;
    if (Math.abs(since) > MOST_NANOS || since == Long.MIN_VALUE) {
      throw new VhostException(
          "the times in this recording do not belong together: it is of several machines or"
              + " broken; make a page of each recording",
          Recovery.GIVE_UP);
    }
    return since;
  }

  private static String device(RecordedEvent event) {
    return text(event, "device");
  }

  /** Returns a text, "" for none. */
  private static String text(RecordedEvent event, String field) {
    return shortened(Objects.requireNonNullElse(event.getString(field), ""));
  }

  private static String shortened(String text) {
    return text.length() <= LONGEST_TEXT ? text : text.substring(0, LONGEST_TEXT) + "\u2026";
  }

  // ---- putting it together ----

  private Recording result() {
    List<Told> told = messages.all();
    List<Of> mediated = mediations.all();
    List<Of> planned = plans.all();
    if (told.isEmpty() && mediated.isEmpty() && planned.isEmpty()) {
      throw new VhostException(
          "this recording has no event of jvhost; record a mediator, or any program with the"
              + " library, with JDK_JAVA_OPTIONS=-XX:StartFlightRecording:filename=FILE.jfr",
          Recovery.GIVE_UP);
    }
    Map<String, List<Told>> toldTo = told.stream().collect(groupingBy(Told::device));
    Map<String, List<Recording.Span>> mediatedOf = byDevice(mediated);
    Map<String, List<Recording.Span>> plannedOf = byDevice(planned);
    var names = new TreeSet<String>(toldTo.keySet());
    names.addAll(mediatedOf.keySet());
    names.addAll(plannedOf.keySet());
    List<Recording.Device> devices = new ArrayList<>();
    for (String name : names) {
      devices.add(
          new Recording.Device(
              name,
              RecordedLane.of(name, toldTo.getOrDefault(name, List.of())),
              spans(
                  mediatedOf.getOrDefault(name, List.of()),
                  plannedOf.getOrDefault(name, List.of()))));
    }
    long zero =
        Stream.of(
                told.stream().map(Told::nanos),
                mediated.stream().map(of -> of.span.fromNanos()),
                planned.stream().map(of -> of.span.fromNanos()))
            .flatMap(times -> times)
            .min(Comparator.naturalOrder())
            .orElseThrow();
    return new Recording(
        devices, zero, messages.leftOut() + mediations.leftOut() + plans.leftOut());
  }

  private static Map<String, List<Recording.Span>> byDevice(List<Of> spans) {
    return spans.stream().collect(groupingBy(Of::device, mapping(Of::span, toList())));
  }

  /**
   * Puts plans into the mediations that they are parts of, and lets stand what is part of nothing.
   * A move has a second event of its start, which is in its own.
   */
  private static List<Recording.Span> spans(
      List<Recording.Span> mediations, List<Recording.Span> plans) {
    List<Recording.Span> all = new ArrayList<>();
    for (Recording.Span one : mediations) {
      if (mediations.stream().noneMatch(other -> other.contains(one) && !one.contains(other))) {
        all.add(one.with(plans.stream().filter(one::contains).toList()));
      }
    }
    plans.stream()
        .filter(plan -> mediations.stream().noneMatch(m -> m.contains(plan)))
        .forEach(all::add);
    all.sort(Comparator.comparingLong(Recording.Span::toNanos));
    return all;
  }

  /** The newest of many. It never holds more than twice as many as it gives. */
  private static final class Newest<T> {
    private final int most;
    private final ToLongFunction<T> time;
    private final List<T> kept = new ArrayList<>();
    private long leftOut;

    Newest(int most, ToLongFunction<T> time) {
      this.most = most;
      this.time = time;
    }

    void add(T one) {
      kept.add(one);
      if (kept.size() == 2 * most) {
        var _ = all();
      }
    }

    /** Returns them in order of time; those of the same time in the order in which they came. */
    List<T> all() {
      kept.sort(Comparator.comparingLong(time));
      int over = Math.max(0, kept.size() - most);
      kept.subList(0, over).clear();
      leftOut += over;
      return kept;
    }

    long leftOut() {
      return leftOut;
    }
  }
}
