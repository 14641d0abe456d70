package io.github.jvhost;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;

/** Test aid: a flight recording of this JVM that knows no events but ours. */
public final class FlightRecording implements AutoCloseable {
  private final Recording recording = new Recording();

  private FlightRecording() {
    for (String type : List.of("Message", "Phase", "Plan", "Fallback", "Reconnect", "Mediation")) {
      recording.enable(name(type));
    }
    recording.start();
  }

  /** Begins one. */
  public static FlightRecording start() {
    return new FlightRecording();
  }

  /** Writes what it has until now, and goes on. */
  public Path dump(Path file) throws IOException {
    recording.dump(file);
    return file;
  }

  private static String name(String type) {
    return "io.github.jvhost." + type;
  }

  /**
   * What it has of one type, in the order of the events' own times; those of equal time as read.
   */
  public List<RecordedEvent> events(String type) {
    try {
      Path file = Files.createTempFile("jvhost", ".jfr");
      try {
        return RecordingFile.readAllEvents(dump(file)).stream()
            .filter(e -> e.getEventType().getName().equals(name(type)))
            .sorted(Comparator.comparing(RecordedEvent::getStartTime))
            .toList();
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The same of one device. */
  public List<RecordedEvent> events(String type, String device) {
    return events(type).stream().filter(e -> device.equals(e.getString("device"))).toList();
  }

  /** The names of messages that a device was sent in a span of {@link System#nanoTime}. */
  public List<String> sent(String device, long fromNanos, long toNanos) {
    return messages(device, "sent", fromNanos, toNanos).map(e -> e.getString("request")).toList();
  }

  /** Messages of a device in one direction, in a span of {@link System#nanoTime}. */
  public Stream<RecordedEvent> messages(
      String device, String direction, long fromNanos, long toNanos) {
    return events("Message", device).stream()
        .filter(e -> e.getString("direction").equals(direction))
        .filter(e -> e.getLong("nanos") - fromNanos >= 0 && toNanos - e.getLong("nanos") >= 0);
  }

  @Override
  public void close() {
    recording.close();
  }
}
