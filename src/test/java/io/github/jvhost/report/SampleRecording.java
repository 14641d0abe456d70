package io.github.jvhost.report;

import java.io.IOException;
import java.nio.file.Path;
import jdk.jfr.Event;
import jdk.jfr.Name;
import jdk.jfr.Recording;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/** Flight recordings in which a test says what there is, in events with the names of ours. */
final class SampleRecording {
  static final long SECOND = 1_000_000_000;

  private SampleRecording() {}

  /** As the library has it. */
  @Name("io.github.jvhost.Message")
  @StackTrace(false)
  static final class Message extends Event {
    @Nullable String device;
    @Nullable String request;
    @Nullable String direction;
    boolean reply;
    int bytes;
    int descriptors;
    boolean needReply;
    long nanos;
  }

  /** As the library has it. */
  @Name("io.github.jvhost.Mediation")
  @StackTrace(false)
  static final class Mediation extends Event {
    @Nullable String device;
    @Nullable String what;
    @Nullable String backEnd;
    @Nullable String from;
    int messages;
    long startNanos;
    long endNanos;
    @Nullable String failure;
  }

  /** As the library has it. */
  @Name("io.github.jvhost.Plan")
  @StackTrace(false)
  static final class Plan extends Event {
    @Nullable String device;
    @Nullable String lifecycle;
    int steps;
    int stepsTaken;
    int messages;
    int waits;
    boolean prepared;
    long startNanos;
    long endNanos;
    @Nullable String failure;
  }

  static void told(String device, String request, boolean needReply, long nanos) {
    message(device, request, "sent", needReply, nanos);
  }

  static void answered(String device, String request, long nanos) {
    message(device, request, "received", false, nanos);
  }

  private static void message(
      String device, String request, String direction, boolean needReply, long nanos) {
    var event = new Message();
    event.device = device;
    event.request = request;
    event.direction = direction;
    event.reply = direction.equals("received");
    event.needReply = needReply;
    event.bytes = 20;
    event.nanos = nanos;
    event.commit();
  }

  static void mediated(
      String device, String what, String where, @Nullable String failure, long from, long to) {
    var event = new Mediation();
    event.device = device;
    event.what = what;
    event.backEnd = where;
    event.messages = what.equals("move") ? 0 : 3;
    event.startNanos = from;
    event.endNanos = to;
    event.failure = failure;
    event.commit();
  }

  static void planned(String device, String lifecycle, long from, long to) {
    var event = new Plan();
    event.device = device;
    event.lifecycle = lifecycle;
    event.steps = 3;
    event.messages = 3;
    event.waits = 1;
    event.startNanos = from;
    event.endNanos = to;
    event.commit();
  }

  /** A device is preset, starts and is moved; each name is one that a test chooses. */
  static void usual(String device, String where) {
    long at = 5 * SECOND;
    mediated(device, "presetup", where, null, at, at + 3_000_000);
    told(device, "SET_MEM_TABLE", true, at + 100_000);
    answered(device, "SET_MEM_TABLE", at + 2_900_000);
    planned(device, "PRESET", at, at + 3_000_000);
    at += SECOND;
    told(device, "SET_VRING_KICK", false, at + 20_000);
    told(device, "GET_STATUS", false, at + 20_000);
    answered(device, "GET_STATUS", at + 1_000_000);
    planned(device, "RUNNING", at, at + 1_000_000);
    mediated(device, "start", where, null, at, at + 1_000_000);
    at += SECOND;
    planned(device, "STOPPED", at + 10_000, at + 500_000);
    told(device, "GET_VRING_BASE", false, at + 20_000);
    answered(device, "GET_VRING_BASE", at + 500_000);
    planned(device, "RUNNING", at + 600_000, at + 900_000);
    told(device, "SET_VRING_BASE", false, at + 610_000);
    mediated(device, "move", where, null, at, at + 1_200_000);
    at += SECOND;
    mediated(device, "move", where, where, at, at);
    planned(device, "STOPPED", at + SECOND, at + SECOND + 50_000);
    told(device, "GET_VRING_BASE", false, at + SECOND + 1_000);
  }

  /** Writes what is recorded meanwhile. */
  static Path write(Path file, Runnable events) throws IOException {
    try (var recording = new Recording()) {
      recording.enable(Message.class);
      recording.enable(Mediation.class);
      recording.enable(Plan.class);
      recording.start();
      events.run();
      recording.stop();
      recording.dump(file);
    }
    return file;
  }
}
