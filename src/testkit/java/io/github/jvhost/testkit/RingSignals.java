package io.github.jvhost.testkit;

import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The signals of one connection's rings: kick, call and err. Each is an eventfd, or a message if
 * in-band notifications were negotiated and no descriptor was sent. Used by one thread.
 *
 * <pre>
 *   VRING_KICK --> an eventfd of our own, which the ring's owner polls as if the front end had sent it
 *   call, err  --> the descriptor that was sent, or VRING_CALL, VRING_ERR on the back end's channel
 * </pre>
 */
final class RingSignals implements AutoCloseable {
  private final BackEndState state;
  private final RingEventfds[] eventfds;
  private final @Nullable EventFd[] errors;
  private final boolean[] callTold;
  private final boolean[] brokenSeen;
  private final BackEndRecord record;
  private final DescriptorLedger ledger;
  private final Supplier<@Nullable BackEndAsker> asker;

  RingSignals(
      BackEndState state,
      BackEndRecord record,
      DescriptorLedger ledger,
      Supplier<@Nullable BackEndAsker> asker) {
    int rings = state.offer().rings();
    this.state = state;
    this.record = record;
    this.ledger = ledger;
    this.asker = asker;
    this.eventfds = new RingEventfds[rings];
    this.errors = new EventFd[rings];
    this.callTold = new boolean[rings];
    this.brokenSeen = new boolean[rings];
    Arrays.setAll(eventfds, _ -> new RingEventfds());
  }

  RingEventfds of(int ring) {
    return eventfds[ring];
  }

  /**
   * Handles a message that sets a kick, call or err. Removes a descriptor that it keeps from the
   * list.
   */
  void told(FrontEndRequest request, int ring, List<OwnedDescriptor> descriptors) {
    OwnedDescriptor descriptor = descriptors.isEmpty() ? null : descriptors.removeFirst();
    switch (request) {
      case SET_VRING_KICK -> {
        eventfds[ring].kick(descriptor);
        if (descriptor == null && state.hasInBandNotifications()) {
          ownKick(ring);
        }
      }
      case SET_VRING_CALL -> {
        eventfds[ring].call(descriptor);
        callTold[ring] = descriptor != null;
      }
      default -> {
        closeError(ring);
        errors[ring] = descriptor == null ? null : EventFd.adopt(descriptor);
      }
    }
  }

  private EventFd ownKick(int ring) {
    EventFd kick = EventFd.create(ledger, "in-band kick of ring " + ring);
    eventfds[ring].kick(kick.descriptor());
    return kick;
  }

  void kickedInBand(int ring) {
    EventFd known = eventfds[ring].kick();
    (known == null ? ownKick(ring) : known).signal();
  }

  void started(int ring, boolean polls) {
    eventfds[ring].broken = false;
    brokenSeen[ring] = false;
    // A poll mode driver reads a ring without a kick; all others wait for the first kick.
    eventfds[ring].kicked = polls || eventfds[ring].kick() == null;
  }

  /** Makes a TX ring look for chains although its driver has not kicked. */
  void lookAgain() {
    for (RingEventfds ring : eventfds) {
      ring.kicked = true;
    }
  }

  void forgotten(int ring, boolean kick, boolean call) {
    if (kick) {
      eventfds[ring].closeKick();
    }
    if (call) {
      eventfds[ring].closeCall();
      callTold[ring] = false;
    }
  }

  void call(int ring) {
    if (!callTold[ring]) {
      inBand(BackEndRequest.VRING_CALL, ring);
      return;
    }
    try {
      eventfds[ring].signalCall();
    } catch (VhostException e) {
      record.note("call of ring " + ring + ": " + e.getMessage());
    }
  }

  /** Called after rings were served. Signals err for each ring that was given up. */
  void served() {
    for (int ring = 0; ring < eventfds.length; ring++) {
      if (eventfds[ring].broken && !brokenSeen[ring]) {
        brokenSeen[ring] = true;
        error(ring);
      }
    }
  }

  private void error(int ring) {
    EventFd error = errors[ring];
    if (error == null) {
      inBand(BackEndRequest.VRING_ERR, ring);
      return;
    }
    try {
      error.signal();
    } catch (VhostException e) {
      record.note("err of ring " + ring + ": " + e.getMessage());
    }
  }

  private void inBand(BackEndRequest request, int ring) {
    BackEndAsker channel = asker.get();
    if (channel != null && state.hasInBandNotifications()) {
      channel.tell(request, new VringState(ring, 0));
    }
  }

  private void closeError(int ring) {
    EventFd error = errors[ring];
    if (error != null) {
      error.close();
      errors[ring] = null;
    }
  }

  @Override
  public void close() {
    for (int ring = 0; ring < eventfds.length; ring++) {
      eventfds[ring].close();
      closeError(ring);
    }
  }
}
