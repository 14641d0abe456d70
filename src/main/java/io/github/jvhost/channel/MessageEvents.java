package io.github.jvhost.channel;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;

/**
 * What a flight recording hears of one connection. While none runs, all that is done is to look
 * whether there is one.
 *
 * <pre>
 *   encoded --(its write has returned)--&gt; recorded
 *   received ---------------------------&gt; recorded
 * </pre>
 */
final class MessageEvents {
  private final String device;
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
   * The event of a message; only while {@link #on}.
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

  /** The messages of a write have left; only while {@link #on}. */
  void sent(Messages messages, Messages.Write write, long now) {
    MemorySegment bytes = messages.memory();
    Dialect dialect = messages.channel().dialect();
    int descriptors = write.descriptors().size();
    for (int at = write.from(); at < write.from() + write.length(); ) {
      int id = bytes.get(ValueLayout.JAVA_INT_UNALIGNED, at);
      int flags = bytes.get(ValueLayout.JAVA_INT_UNALIGNED, at + 4L);
      int payload = bytes.get(ValueLayout.JAVA_INT_UNALIGNED, at + 8L);
      String name = dialect.requestOf(id).map(FrontEndRequest::name).orElse("request " + id);
      MessageEvent event = event(name, payload, descriptors);
      event.needReply = (flags & Header.NEED_REPLY) != 0;
      passed(event, true, false, now);
      descriptors = 0; // they belong to the message that begins the write
      at += Header.SIZE + payload;
    }
  }

  /** A message was received, or an answer sent; only while {@link #on}. */
  void passed(MessageEvent event, boolean sent, boolean reply, long now) {
    event.reply = reply;
    event.happened(sent, now);
    event.commit();
  }
}
