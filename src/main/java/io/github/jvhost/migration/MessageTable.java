package io.github.jvhost.migration;

import static io.github.jvhost.migration.MessageTable.End.DESTINATION;
import static io.github.jvhost.migration.MessageTable.End.SOURCE;
import static io.github.jvhost.migration.Phase.HAND_OVER;
import static io.github.jvhost.migration.Phase.ITERATE;
import static io.github.jvhost.migration.Phase.SETUP;
import static io.github.jvhost.migration.Phase.STOP;

import io.github.jvhost.migration.MigrationMessage.Abort;
import io.github.jvhost.migration.MigrationMessage.BackEndState;
import io.github.jvhost.migration.MigrationMessage.Cancel;
import io.github.jvhost.migration.MigrationMessage.Commit;
import io.github.jvhost.migration.MigrationMessage.Early;
import io.github.jvhost.migration.MigrationMessage.EarlyEnd;
import io.github.jvhost.migration.MigrationMessage.Final;
import io.github.jvhost.migration.MigrationMessage.Hello;
import io.github.jvhost.migration.MigrationMessage.Moved;
import io.github.jvhost.migration.MigrationMessage.Pages;
import io.github.jvhost.migration.MigrationMessage.Preset;
import io.github.jvhost.migration.MigrationMessage.Ready;
import io.github.jvhost.migration.MigrationMessage.RegionAdded;
import io.github.jvhost.migration.MigrationMessage.Running;
import io.github.jvhost.migration.MigrationMessage.Stopping;
import io.github.jvhost.migration.MigrationMessage.Translations;
import io.github.jvhost.vmstate.DeviceRecord;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/**
 * The messages of a migration: number, body, who sends it, and when it may come. Phases are the
 * receiver's. Messages of the sender move the receiver from one to the next:
 *
 * <pre>
 *   destination   SETUP --HELLO--> ITERATE --STOPPING--> STOP
 *   source        SETUP --READY--> ITERATE --COMMIT----> HAND_OVER
 * </pre>
 */
final class MessageTable {
  /** The two ends. */
  enum End {
    SOURCE,
    DESTINATION;

    @Override
    public String toString() {
      return this == SOURCE ? "the source" : "the destination";
    }
  }

  // Without STOPPING, a final record and COMMIT are accepted during ITERATE. STOPPING only asks the
  // destination to end presetup.
  private static final List<Row> ROWS =
      List.of(
          new Row(1, Hello.class, "HELLO", SOURCE, in(SETUP), Hello::read),
          new Row(2, Early.class, "an early record", SOURCE, in(ITERATE), MessageTable::device),
          new Row(
              2, Final.class, "a final record", SOURCE, in(ITERATE, STOP), MessageTable::device),
          new Row(11, Moved.class, "moved rings", SOURCE, in(ITERATE, STOP), Moved::read),
          new Row(
              3, EarlyEnd.class, "the end of early records", SOURCE, in(ITERATE), EarlyEnd::read),
          new Row(
              10,
              Translations.class,
              "a device's translations",
              SOURCE,
              in(ITERATE, STOP),
              Translations::read),
          new Row(4, Pages.class, "PAGES", SOURCE, in(ITERATE, STOP), Pages::read),
          new Row(5, RegionAdded.class, "a region", SOURCE, in(ITERATE, STOP), RegionAdded::read),
          new Row(6, Commit.class, "COMMIT", SOURCE, in(ITERATE, STOP), _ -> new Commit()),
          new Row(7, Cancel.class, "CANCEL", SOURCE, in(ITERATE, STOP), Cancel::read),
          new Row(8, Stopping.class, "STOPPING", SOURCE, in(ITERATE), _ -> new Stopping()),
          new Row(
              9, BackEndState.class, "a back end's state", SOURCE, in(STOP), BackEndState::read),
          new Row(16, Ready.class, "READY", DESTINATION, in(SETUP), _ -> new Ready()),
          new Row(17, Preset.class, "PRESET", DESTINATION, in(ITERATE, HAND_OVER), Preset::read),
          new Row(18, Running.class, "RUNNING", DESTINATION, in(HAND_OVER), _ -> new Running()),
          new Row(
              19, Abort.class, "ABORT", DESTINATION, in(SETUP, ITERATE, HAND_OVER), Abort::read));

  private MessageTable() {}

  private static Set<Phase> in(Phase first, Phase... others) {
    return EnumSet.of(first, others);
  }

  /**
   * A kind of message.
   *
   * @param type its number on the wire; early and final records have the same
   * @param words its name in failures
   * @param from the end that sends it
   * @param when the phases of the other end in which it may come
   * @param read makes a message of a body; throws a BufferUnderflowException if the body is too
   *     short
   */
  record Row(
      int type,
      Class<? extends MigrationMessage> message,
      String words,
      End from,
      Set<Phase> when,
      Function<MessageBody, MigrationMessage> read) {}

  /** The row of a message. */
  static Row of(MigrationMessage message) {
    for (Row row : ROWS) {
      if (row.message().isInstance(message)) {
        return row;
      }
    }
    throw new IllegalStateException("no row for " + message);
  }

  /**
   * Reads a body.
   *
   * @param type from the header
   * @param in the body, whole
   * @throws MigrationException if it is not what the type says
   */
  static MigrationMessage read(int type, ByteBuffer in) {
    for (Row row : ROWS) {
      if (row.type() == type) {
        return read(row, in);
      }
    }
    throw MigrationException.malformed("a message of unknown type " + type);
  }

  private static MigrationMessage read(Row row, ByteBuffer in) {
    MigrationMessage message;
    try {
      message = row.read().apply(MessageBody.toRead(in));
    } catch (BufferUnderflowException e) {
      throw MigrationException.malformed("a message of type " + row.type() + " that is too short");
    }
    if (in.hasRemaining()) {
      throw MigrationException.malformed(
          "%d bytes after a message of type %d".formatted(in.remaining(), row.type()));
    }
    return message;
  }

  private static MigrationMessage device(MessageBody in) {
    DeviceRecord content = DeviceRecord.read(in.bytes());
    return switch (content.kind()) {
      case EARLY -> new Early(content);
      case FINAL -> new Final(content);
    };
  }

  /**
   * Checks that a message may come now.
   *
   * @param from the end that has sent it
   * @param now the phase of the end that has received it
   * @throws MigrationException if it may not
   */
  static void requireExpected(MigrationMessage message, End from, Phase now) {
    Row row = of(message);
    if (row.from() == from && row.when().contains(now)) {
      return;
    }
    if (now == SETUP) {
      String first = from == SOURCE ? "HELLO" : "READY";
      throw MigrationException.malformed(
          "%s sent %s before %s".formatted(from, row.words(), first));
    }
    if (row.from() != from) {
      throw MigrationException.malformed("unexpected %s from %s".formatted(row.words(), from));
    }
    boolean tooEarly = now.compareTo(Collections.min(row.when())) < 0;
    String where =
        switch (tooEarly ? Collections.min(row.when()) : now) {
          case SETUP, ITERATE, DONE -> from == SOURCE ? "HELLO" : "READY";
          case STOP -> "STOPPING";
          case HAND_OVER -> "COMMIT";
        };
    throw MigrationException.malformed(
        "%s %s %s".formatted(row.words(), tooEarly ? "before" : "after", where));
  }
}
