package io.github.jvhost.cli;

import io.github.jvhost.testkit.BackEndRecord;
import io.github.jvhost.testkit.RecordedMessage;
import io.github.jvhost.testkit.trace.MessageLine;
import java.io.PrintWriter;
import java.util.List;

/** Prints what a mock back end is told while it is told. Used by one thread. */
final class MockTrace {
  private final BackEndRecord record;
  private final PrintWriter out;
  private final long start = System.nanoTime();
  private int messages;
  private int notes;

  /** Times count from here on. */
  MockTrace(BackEndRecord record, PrintWriter out) {
    this.record = record;
    this.out = out;
  }

  /** Whether something is there that was not printed yet. */
  boolean isBehind() {
    return record.mark() > messages || record.notes().size() > notes;
  }

  /** Prints what is new: messages, then whatever else happened since the last call. */
  void catchUp() {
    // Looked at first, so that nothing is printed of what happened behind a message not yet seen.
    List<String> all = record.notes();
    List<RecordedMessage> told = record.since(messages);
    told.forEach(message -> out.println(MessageLine.of(message, start)));
    messages += told.size();
    all.subList(notes, all.size()).forEach(note -> out.println("### " + note));
    notes = all.size();
    out.flush();
  }
}
