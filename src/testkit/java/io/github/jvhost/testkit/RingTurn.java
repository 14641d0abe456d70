package io.github.jvhost.testkit;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.testkit.net.SwitchPort;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Serves all rings of a device once: takes chains from kicked TX rings, and spreads arrived frames
 * over RX rings.
 */
final class RingTurn {
  /** The most frames that one turn delivers, so that a flood of frames does not delay messages. */
  private static final int MAX_ARRIVALS = 256;

  /**
   * The bytes that select a flow's ring: the Ethernet addresses, and in an IPv4 frame the two IP
   * addresses.
   */
  private static final int FLOW_BYTES = 34;

  private final BackEndSession session;
  private final BackEndState state;
  private final SwitchPort port;
  private final BackEndRecord record;
  private final RingService service;
  private boolean moreArrivals;

  RingTurn(BackEndSession session, SwitchPort port, BackEndRecord record) {
    this.session = session;
    this.state = session.state();
    this.port = port;
    this.record = record;
    this.service = session.rings();
  }

  /** Returns true if chains or frames wait that no descriptor will report. */
  boolean hasMore() {
    if (moreArrivals) {
      return true;
    }
    for (int i = 1; i < state.offer().rings(); i += 2) {
      if (isServed(i) && session.eventfds(i).kicked) {
        return true;
      }
    }
    return false;
  }

  /** Marks the rings whose kicks a wait reported. */
  void noteKicks(Watch watch) {
    for (int i = 1; i < state.offer().rings(); i += 2) {
      EventFd kick = session.eventfds(i).kick();
      if (kick == null || !watch.kicked(i)) {
        continue;
      }
      try {
        session.eventfds(i).kicked |= kick.drain() > 0;
      } catch (VhostException e) {
        // The front end may have sent any file as a kick.
        giveUp(i, e);
      }
    }
  }

  void serve() {
    for (int i = 1; i < state.offer().rings(); i += 2) {
      RingEventfds eventfds = session.eventfds(i);
      if (!isServed(i)) {
        continue;
      }
      RingModel ring = state.model(i);
      try {
        if (ring.asksForKicks) {
          // The previous back end may have polled the ring and disabled kicks.
          service.askForKicks(ring);
          ring.asksForKicks = false;
        }
        if (eventfds.kicked || eventfds.kick() == null) {
          eventfds.kicked = service.transmit(ring);
        }
      } catch (VhostException e) {
        giveUp(i, e);
      }
    }
    int arrivals = 0;
    byte[] frame = null;
    while (!service.isStuck() && arrivals < MAX_ARRIVALS && (frame = port.poll()) != null) {
      deliver(frame);
      arrivals++;
    }
    service.endTurn();
    moreArrivals = frame != null;
  }

  private void deliver(byte[] frame) {
    List<RingModel> candidates = new ArrayList<>();
    boolean anyStarted = false;
    for (int i = 0; i < state.offer().rings(); i += 2) {
      if (isServed(i)) {
        anyStarted = true;
        if (state.model(i).enabled) {
          candidates.add(state.model(i));
        }
      }
    }
    if (candidates.isEmpty()) {
      record.drop(anyStarted ? FrameDrop.RX_DISABLED : FrameDrop.RX_STOPPED, frame);
      return;
    }
    int flow = Arrays.hashCode(Arrays.copyOf(frame, FLOW_BYTES));
    RingModel ring = candidates.get(Math.floorMod(flow, candidates.size()));
    try {
      service.receive(ring, frame);
    } catch (VhostException e) {
      record.drop(FrameDrop.RX_STOPPED, frame);
      giveUp(ring.number, e);
    }
  }

  private boolean isServed(int ring) {
    return state.isStarted(ring) && !session.eventfds(ring).broken;
  }

  private void giveUp(int ring, VhostException why) {
    session.eventfds(ring).broken = true;
    record.note("gave up ring " + ring + ": " + why.getMessage());
  }

  /** The descriptors that the thread waits for between two turns. */
  static final class Watch implements AutoCloseable {
    private static final long IDLE_NANOS = 1_000_000_000L;
    // The interval at which a ring without a kick descriptor is polled: short enough for a ping,
    // and long
    // enough for a small machine.
    private static final long POLLED_NANOS = 200_000L;

    private final Poller poller;
    private final int[] kickAt;
    private int wakeAt;
    private int socketAt;
    private int hangUpAt;
    private boolean polled;

    Watch(int rings) {
      this.poller = new Poller(rings + 3);
      this.kickAt = new int[rings];
    }

    void begin(int wakeUp) {
      poller.clear();
      wakeAt = poller.add(wakeUp, Poller.IN);
      socketAt = -1;
      hangUpAt = -1;
      polled = false;
      Arrays.fill(kickAt, -1);
    }

    void socket(int number) {
      if (number >= 0) {
        socketAt = poller.add(number, Poller.IN);
      }
    }

    void hangUp(int number) {
      hangUpAt = poller.add(number, 0);
    }

    void kicks(BackEndSession session) {
      for (int i = 1; i < kickAt.length; i += 2) {
        if (!session.state().isStarted(i) || session.eventfds(i).broken) {
          continue;
        }
        EventFd kick = session.eventfds(i).kick();
        if (kick == null) {
          polled = true;
        } else {
          kickAt[i] = poller.add(kick.descriptor().number(), Poller.IN);
        }
      }
    }

    void await(boolean more) {
      poller.await(more ? 0 : polled ? POLLED_NANOS : IDLE_NANOS);
    }

    boolean woken() {
      return poller.ready(wakeAt) != 0;
    }

    boolean socketReady() {
      return socketAt >= 0 && poller.ready(socketAt) != 0;
    }

    boolean hungUp() {
      return hangUpAt >= 0 && poller.ready(hangUpAt) != 0;
    }

    /** Returns true if the last wait reported a kick of this ring. */
    boolean kicked(int ring) {
      return kickAt[ring] >= 0 && poller.ready(kickAt[ring]) != 0;
    }

    @Override
    public void close() {
      poller.close();
    }
  }
}
