package io.github.jvhost.channel;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

/**
 * One message of a connection in a flight recording. The time of a sent message is when the write
 * that carried it returned; the write may have carried others too. The time of a received message
 * is when it was complete.
 */
@Name("io.github.jvhost.Message")
@Label("vhost-user message")
@Category("jvhost")
@Description(
    "A message between front end and back end: when its write returned, or when it was read")
@StackTrace(false)
final class MessageEvent extends Event {
  @Label("Device")
  @Nullable String device;

  @Label("Request")
  @Description("The message's name; an answer has the name of its request")
  @Nullable String request;

  @Label("Direction")
  @Description("sent or received, as the front end sees it")
  @Nullable String direction;

  @Label("Reply")
  @Description(
      "Answers on the main connection are received, answers on the back end's own are sent")
  boolean reply;

  @Label("Bytes")
  @Description("Header and payload")
  int bytes;

  @Label("Descriptors")
  int descriptors;

  @Label("Need Reply")
  @Description("NEED_REPLY: an acknowledgement is asked for")
  boolean needReply;

  @Label("Nanos")
  @Description("The same time on the clock of all reports, System.nanoTime()")
  long nanos;

  /** Sets the time. An event must have a duration; this one means nothing. */
  void happened(boolean sent, long now) {
    begin();
    end();
    direction = sent ? "sent" : "received";
    nanos = now;
  }
}
