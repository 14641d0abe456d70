package io.github.jvhost.channel;

import io.github.jvhost.protocol.Header;
import java.util.ArrayList;
import java.util.List;
import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;

/**
 * What a flight recording hears of one connection. While none runs, all that is done is to look
 * whether there is one.
 *
 * <pre>
 *   encoded --&gt; unwritten --(its write has returned)--&gt; recorded
 *   received -----------------------------------------&gt; recorded
 * </pre>
 */
final class MessageEvents {
  private final String device;
  private final List<MessageEvent> unwritten = new ArrayList<>();
  private @Nullable MessageEvent probe;
  private boolean silenced;

  MessageEvents(String device) {
    this.device = device;
  }

  /** From now on this connection is not recorded. */
  void silence() {
    silenced = true;
  }

  boolean isSilenced() {
    return silenced;
  }

  /**
   * Whether messages are recorded now. The recorder is asked first whether it is there at all: the
   * first class of events that a JVM initializes has it read its catalogue, which takes longer than
   * many a migration's window.
   */
  boolean on() {
    if (silenced || !FlightRecorder.isInitialized()) {
      return false;
    }
    MessageEvent asked = probe;
    if (asked == null) {
      asked = new MessageEvent();
      probe = asked;
    }
    return asked.isEnabled();
  }

  /**
   * The event of a message that was not sent or received yet; only while {@link #on}.
   *
   * @param payload in bytes
   */
  MessageEvent event(String request, int payload, int descriptors) {
    var event = new MessageEvent();
    event.device = device;
    event.request = request;
    event.bytes = Header.SIZE + payload;
    event.descriptors = descriptors;
    return event;
  }

  /** A message is encoded behind others that are not written yet. */
  void encoded(String request, int payload, int descriptors, boolean needReply) {
    if (on()) {
      MessageEvent event = event(request, payload, descriptors);
      event.needReply = needReply;
      unwritten.add(event);
    }
  }

  boolean hasUnwritten() {
    return !unwritten.isEmpty();
  }

  /** All that were encoded have left. */
  void written(long now) {
    for (MessageEvent event : unwritten) {
      event.happened(true, now);
      event.commit();
    }
    unwritten.clear();
  }

  /** A message was received, or an answer sent; only while {@link #on}. */
  void passed(MessageEvent event, boolean sent, boolean reply, long now) {
    event.reply = reply;
    event.happened(sent, now);
    event.commit();
  }
}
