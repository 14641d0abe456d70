package io.github.jvhost.channel;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;

/**
 * Records the messages of one connection in a flight recording. While none runs, it only checks
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

  /** Stops the recording of this connection for good. */
  void silence() {
    silenced = true;
  }

  boolean isSilenced() {
    return silenced;
  }

  /**
   * Whether messages are recorded now. This first checks that the recorder was initialized. When a
   * JVM initializes its first event class, the recorder reads its catalogue, which takes longer
   * than many a stop window.
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

  /** Records the messages of a write; only while {@link #on}. */
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

  /** Records a message that was received or an answer that was sent; only while {@link #on}. */
  void passed(MessageEvent event, boolean sent, boolean reply, long now) {
    event.reply = reply;
    event.happened(sent, now);
    event.commit();
  }
}
