package io.github.jvhost.cli;

import io.github.jvhost.testkit.BackEndRecord;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.testkit.trace.MessageLine;
import java.io.PrintWriter;
import java.util.List;

/** Prints each message of a mock back end when it arrives. Used by one thread. */
final class MockTrace {
  private final BackEndRecord record;
  private final PrintWriter out;
  private final long start = System.nanoTime();
  private int messages;
  private int notes;
  private int ends;

  /** Creates the trace. Times count from this moment. */
  MockTrace(BackEndRecord record, PrintWriter out) {
    this.record = record;
    this.out = out;
  }

  /** Returns true if there are messages, notes or ends of connections to print. */
  boolean isBehind() {
    return record.mark() > messages
        || record.notes().size() > notes
        || record.disconnections() > ends;
  }

  /** Prints the messages since the last call, then the notes and ends. */
  void catchUp() {
    // Read before the messages, so that nothing is printed before a message that came earlier.
    int over = record.disconnections();
    List<String> all = record.notes();
    List<RecordedMessage> told = record.since(messages);
    told.forEach(message -> out.println(MessageLine.of(message, start)));
    messages += told.size();
    all.subList(notes, all.size()).forEach(note -> out.println("### " + note));
    notes = all.size();
    for (; ends < over; ends++) {
      out.println("### connection " + (ends + 1) + " is over");
    }
    out.flush();
  }
}
