package io.github.jvhost.channel.backend;

import io.github.jvhost.Bytes;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.sys.io.SocketPair;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * One front end and one back end, from the first byte to the last.
 *
 * <pre>
 *   front end           relay            back end
 *      |== main socket ==|== main socket ==|
 *      |== its channel ==|== socket pair ==|       from SET_BACKEND_REQ_FD on: the back end gets one
 *                                                  end of the relay's pair, not the front end's
 * </pre>
 *
 * <p>The session is over when either side closes its main socket or one half of it. What had come
 * before is still passed on. When only the back end's channel closes, the session goes on. One
 * thread at a time.
 */
final class RelaySession implements AutoCloseable {
  /** How long one side may take to read the last messages of the other side, which has gone. */
  private static final long LAST_MESSAGES_NANOS = TimeUnit.SECONDS.toNanos(1);

  private static final long A_DAY_NANOS = TimeUnit.DAYS.toNanos(1);

  /** Two main sockets and two channel sockets, each for input and for room, and the wake-up. */
  private static final int WATCHED = 9;

  private static final int SET_BACKEND_REQ_FD =
      FrontEndRequest.SET_BACKEND_REQ_FD.fixedId().orElseThrow();

  private final int session;
  private final RelayEnd front;
  private final RelayEnd back;
  private final DescriptorLedger ledger;
  private final Consumer<RelayedMessage> passed;
  private final Supplier<SocketPair> pairs;
  private final Poller poller = new Poller(WATCHED);
  private final List<Way> main = new ArrayList<>();
  private List<Way> channel = List.of();
  private List<RelayEnd> channelEnds = List.of();
  private String unwatched = "";

  /** A direction and its indexes in the poller. */
  private final class Way implements RelayDirection.Checkpoint {
    private final RelayRoute route;
    private final RelayDirection direction;
    private RelayDirection.State state = RelayDirection.State.READING;
    private int index;
    private int hangUpIndex = -1;
    // When its source went away; 0 while the source is there.
    private long sourceGone;

    Way(RelayRoute route, RelayEnd from, RelayEnd to) {
      this.route = route;
      this.direction = new RelayDirection(from, to, this);
    }

    @Override
    public void before(int request, int flags, List<OwnedDescriptor> descriptors) {
      if (route == RelayRoute.TO_BACK_END
          && request == SET_BACKEND_REQ_FD
          && (flags & Header.REPLY) == 0
          && !descriptors.isEmpty()) {
        interpose(descriptors);
      }
    }

    @Override
    public void after(long arrived, long passed, boolean raw, byte[] bytes, int descriptors) {
      RelaySession.this.passed.accept(
          new RelayedMessage(
              arrived, passed, session, route, raw, Bytes.copyOf(bytes), descriptors));
    }

    void watch() {
      hangUpIndex = -1;
      if (state == RelayDirection.State.READING) {
        index = poller.add(direction.from().number(), Poller.IN);
        return;
      }
      // It waits to write. A source that has hung up is reported once and then not watched again.
      index = poller.add(direction.to().number(), Poller.OUT);
      if (sourceGone == 0) {
        hangUpIndex = poller.add(direction.from().number(), 0);
      }
    }

    void move() {
      if (poller.ready(index) != 0) {
        state = direction.move();
      } else if (hangUpIndex >= 0 && poller.ready(hangUpIndex) != 0) {
        sourceGone = System.nanoTime();
      }
    }

    boolean isOver() {
      return state == RelayDirection.State.OVER || nanosLeft() <= 0;
    }

    long nanosLeft() {
      return sourceGone == 0 ? A_DAY_NANOS : LAST_MESSAGES_NANOS - (System.nanoTime() - sourceGone);
    }

    String why() {
      return state == RelayDirection.State.OVER
          ? direction.why()
          : direction.from().name() + " closed the connection";
    }
  }

  /** Takes over both ends. */
  RelaySession(
      int session,
      RelayEnd front,
      RelayEnd back,
      DescriptorLedger ledger,
      Consumer<RelayedMessage> passed) {
    this(
        session,
        front,
        back,
        ledger,
        passed,
        () -> SocketPair.open(ledger, "back-end channel of session " + session));
  }

  /** The same with another source of socket pairs for channels. */
  RelaySession(
      int session,
      RelayEnd front,
      RelayEnd back,
      DescriptorLedger ledger,
      Consumer<RelayedMessage> passed,
      Supplier<SocketPair> pairs) {
    this.pairs = pairs;
    this.session = session;
    this.front = front;
    this.back = back;
    this.ledger = ledger;
    this.passed = passed;
    main.add(new Way(RelayRoute.TO_BACK_END, front, back));
    main.add(new Way(RelayRoute.TO_FRONT_END, back, front));
  }

  /**
   * Passes messages on until one side is gone.
   *
   * @param wakeUp is readable when {@code closing} has changed
   * @return why it is over, and whether something of it was not watched
   */
  String run(int wakeUp, BooleanSupplier closing) {
    while (!closing.getAsBoolean()) {
      String why = turn(wakeUp);
      if (!why.isEmpty()) {
        return why + unwatched;
      }
    }
    return "the relay was closed" + unwatched;
  }

  /** Waits once and passes on what can be; returns why the session is over, or "" if it is not. */
  String turn(int wakeUp) {
    poller.clear();
    poller.add(wakeUp, Poller.IN);
    List<Way> asks = channel;
    main.forEach(Way::watch);
    asks.forEach(Way::watch);
    poller.await(nanosLeft());
    main.forEach(Way::move);
    if (asks.equals(channel)) { // not replaced by one of the others just now
      asks.forEach(Way::move);
      if (asks.stream().anyMatch(Way::isOver)) {
        closeChannel();
      }
    }
    for (Way way : main) {
      if (way.isOver()) {
        // What was sent before is passed on: for example, a reply before a hang-up.
        main.stream().filter(other -> !other.isOver()).forEach(other -> other.direction.move());
        return way.why();
      }
    }
    return "";
  }

  private long nanosLeft() {
    long left = A_DAY_NANOS;
    for (Way way : main) {
      left = Math.min(left, way.nanosLeft());
    }
    for (Way way : channel) {
      left = Math.min(left, way.nanosLeft());
    }
    return left;
  }

  /** Replaces the first descriptor by one end of a new socket pair. */
  private void interpose(List<OwnedDescriptor> descriptors) {
    SocketPair pair;
    try {
      pair = pairs.get();
    } catch (SystemCallException e) {
      // No more descriptors can be opened. The session goes on with this channel not watched.
      unwatched = "; the back end's own channel was not watched: " + e.getMessage();
      return;
    }
    var theirs = RelayEnd.of(descriptors.getFirst(), "the front end's channel", ledger);
    var ours = RelayEnd.of(pair.one(), "the back end's channel", ledger);
    descriptors.set(0, pair.other());
    closeChannel();
    channelEnds = List.of(theirs, ours);
    channel =
        List.of(
            new Way(RelayRoute.ASKED, ours, theirs), new Way(RelayRoute.ANSWERED, theirs, ours));
  }

  private void closeChannel() {
    channel.forEach(way -> way.direction.move());
    channel.forEach(way -> way.direction.abandon());
    channelEnds.forEach(RelayEnd::close);
    channel = List.of();
    channelEnds = List.of();
  }

  @Override
  public void close() {
    closeChannel();
    main.forEach(way -> way.direction.abandon());
    front.close();
    back.close();
    poller.close();
  }
}
