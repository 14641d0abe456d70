package io.github.jvhost.vhost.user;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.Reply;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Sends one request after the other and waits for what comes back. There are three ways:
 *
 * <pre>
 *   send      does not wait; a refusal shows later, as a hang-up
 *   confirm   waits for an acknowledgement if REPLY_ACK is negotiated; else as send
 *   ask       waits for the answer that the message has of its own
 * </pre>
 *
 * <p>Every request has its own deadline. The caller keeps the descriptors that are sent.
 */
final class RequestExchange {
  private final VhostUserChannel channel;
  private final Duration within;

  RequestExchange(VhostUserChannel channel, Duration within) {
    this.channel = channel;
    this.within = within;
  }

  VhostUserChannel channel() {
    return channel;
  }

  boolean has(ProtocolFeature feature) {
    return feature.isIn(channel.protocolFeatures());
  }

  void send(FrontEndRequest request, Payload payload) {
    send(request, payload, List.of());
  }

  void send(FrontEndRequest request, Payload payload, List<OwnedDescriptor> descriptors) {
    Deadline deadline = Deadline.after(within);
    channel.send(request, payload, descriptors, false, deadline);
    channel.flush(deadline);
  }

  void confirm(FrontEndRequest request, Payload payload) {
    confirm(request, payload, List.of());
  }

  void confirm(FrontEndRequest request, Payload payload, List<OwnedDescriptor> descriptors) {
    if (has(ProtocolFeature.REPLY_ACK)) {
      insist(request, payload, descriptors);
    } else {
      send(request, payload, descriptors);
    }
  }

  /** As {@link #confirm}, but the channel refuses it if REPLY_ACK is not negotiated. */
  void insist(FrontEndRequest request, Payload payload, List<OwnedDescriptor> descriptors) {
    Deadline deadline = Deadline.after(within);
    channel.send(request, payload, descriptors, true, deadline);
    requireZero(request, payload, value(close(await(request, deadline))));
  }

  /** Sends an eventfd of a ring, or that there is none. */
  void setEvent(FrontEndRequest request, int ring, @Nullable OwnedDescriptor event) {
    confirm(
        request,
        new VringDescriptor(ring, event == null),
        event == null ? List.of() : List.of(event));
  }

  /** Stops a ring; returns its base. */
  int stop(FrontEndRequest request, int ring) {
    VringState answer = (VringState) ask(request, new VringState(ring, 0));
    if (answer.index() != ring) {
      throw senseless(
          request, "asked for ring %d, answered for ring %d".formatted(ring, answer.index()));
    }
    return answer.num();
  }

  /** The number that a message without a payload is answered with. */
  long number(FrontEndRequest request) {
    return value(ask(request, NoPayload.INSTANCE));
  }

  /** The answer; descriptors with it are closed. */
  Payload ask(FrontEndRequest request, Payload payload) {
    return ask(request, payload, List.of());
  }

  Payload ask(FrontEndRequest request, Payload payload, List<OwnedDescriptor> descriptors) {
    return close(reply(request, payload, descriptors));
  }

  /** The answer; the caller closes its descriptors. */
  Reply reply(FrontEndRequest request, Payload payload, List<OwnedDescriptor> descriptors) {
    Deadline deadline = Deadline.after(within);
    channel.send(request, payload, descriptors, false, deadline);
    return await(request, deadline);
  }

  /** The descriptor of an answer that has to have one. */
  OwnedDescriptor descriptor(Reply reply, String what) {
    if (reply.descriptors().isEmpty()) {
      throw senseless(reply.request(), what + " was asked for, and no descriptor came");
    }
    return reply.descriptors().getFirst();
  }

  private Reply await(FrontEndRequest request, Deadline deadline) {
    Reply reply = channel.awaitReply(deadline);
    if (reply.request() != request) {
      close(reply);
      throw new IllegalStateException(
          "%s: the reply to %s was still to come when %s was asked"
              .formatted(channel.name(), reply.request(), request));
    }
    return reply;
  }

  void requireZero(FrontEndRequest request, Payload payload, long answer) {
    if (answer != 0) {
      throw refused(request, payload, Long.toUnsignedString(answer));
    }
  }

  BackEndRefusedException refused(FrontEndRequest request, Payload payload, String answer) {
    String with = payload == NoPayload.INSTANCE ? "" : " " + payload;
    return new BackEndRefusedException(
        "%s: %s%s: the back end answered %s".formatted(channel.name(), request, with, answer));
  }

  /** An answer of the right layout whose content cannot be right. */
  ProtocolException senseless(FrontEndRequest request, String answer) {
    return new ProtocolException("%s: %s: %s".formatted(channel.name(), request, answer));
  }

  /** A request that this connection cannot carry. */
  VhostException unavailable(FrontEndRequest request, String why) {
    return new VhostException(
        "%s: %s cannot be sent: %s".formatted(channel.name(), request, why), Recovery.GIVE_UP);
  }

  private static Payload close(Reply reply) {
    reply.descriptors().forEach(OwnedDescriptor::close);
    return reply.payload();
  }

  static long value(Payload answer) {
    return ((U64) answer).value();
  }
}
