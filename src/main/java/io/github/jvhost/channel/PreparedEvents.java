package io.github.jvhost.channel;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.U64;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * The events of {@link PreparedMessages}: made ahead of time, given their times when the messages
 * pass, and recorded when there is time for it. So a window that is recorded takes nearly as long
 * as one that is not.
 */
final class PreparedEvents {
  private final List<MessageEvent> sent = new ArrayList<>();
  private final List<MessageEvent> received = new ArrayList<>();

  /** By write: how many messages have left once it has returned. */
  private final int[] sentAfter;

  private int timesOfSent;
  private int timesOfReceived;

  PreparedEvents(PreparedMessages messages, MessageEvents events) {
    sentAfter = new int[messages.writes().size()];
    for (int i = 0; i < sentAfter.length; i++) {
      PreparedMessages.Write write = messages.writes().get(i);
      int descriptors = write.descriptors().size();
      int end = write.from() + write.length();
      for (int at = write.from(); at < end; ) {
        int id = messages.bytes().get(ValueLayout.JAVA_INT_UNALIGNED, at);
        int payload = messages.bytes().get(ValueLayout.JAVA_INT_UNALIGNED, at + 2L * Integer.BYTES);
        int flags = messages.bytes().get(ValueLayout.JAVA_INT_UNALIGNED, at + (long) Integer.BYTES);
        MessageEvent event = events.event(nameOf(messages, id), payload, descriptors);
        event.needReply = (flags & Header.NEED_REPLY) != 0;
        sent.add(event);
        descriptors = 0; // they belong to the message that begins the write
        at += Header.SIZE + payload;
      }
      sentAfter[i] = sent.size();
    }
    for (int i = 0; i < messages.answers(); i++) {
      MessageEvent event = events.event(messages.expected(i).request.name(), U64.SIZE, 0);
      event.reply = true;
      received.add(event);
    }
  }

  private static String nameOf(PreparedMessages messages, int id) {
    return messages
        .channel()
        .dialect()
        .requestOf(id)
        .map(FrontEndRequest::name)
        .orElse("request " + Integer.toUnsignedString(id));
  }

  /** A write has returned. */
  void written(int write, long now) {
    while (timesOfSent < sentAfter[write]) {
      sent.get(timesOfSent++).happened(true, now);
    }
  }

  /** One answer more has come. */
  void answered(long now) {
    received.get(timesOfReceived++).happened(false, now);
  }

  /** Records what has passed, once. */
  void commit() {
    for (int i = 0; i < timesOfSent; i++) {
      sent.get(i).commit();
    }
    for (int i = 0; i < timesOfReceived; i++) {
      received.get(i).commit();
    }
    timesOfSent = 0;
    timesOfReceived = 0;
  }
}
