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
 *      |== its channel ==|== socket pair ==|       from SET_BACKEND_REQ_FD on: the back end gets
 *                                                  an end of a pair of ours for the front end's own
 * </pre>
 *
 * <p>It is over when either side closes its main socket, or one half of it: what had come before is
 * still passed on. A channel that closes ends the channel alone. One thread.
 */
final class RelaySession implements AutoCloseable {
  /** How long a side may take for the last words of the other, which is gone. */
  private static final long LAST_WORDS_NANOS = TimeUnit.SECONDS.toNanos(1);

  private static final long A_DAY_NANOS = TimeUnit.DAYS.toNanos(1);

  /** Two sockets, two channel sockets, each also looked at for room, and the wake-up. */
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

  /** A direction and how it stands in the poller. */
  private final class Way implements RelayDirection.Checkpoint {
    private final RelayRoute route;
    private final RelayDirection direction;
    private RelayDirection.State state = RelayDirection.State.READING;
    private int index;
    private int hangUpIndex = -1;
    // 0: its source is there. The others on their way count from the moment when it had gone.
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
      // It writes: whoever finds that it is over does not watch it again.
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
      return sourceGone == 0 ? A_DAY_NANOS : LAST_WORDS_NANOS - (System.nanoTime() - sourceGone);
    }

    String why() {
      return state == RelayDirection.State.OVER
          ? direction.why()
          : direction.from().name() + " closed the connection";
    }
  }

  /** Owns both ends from here on. */
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

  /** The same with pairs for channels from elsewhere. */
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
   * @param wakeUp has something to read when {@code closing} has changed
   * @return why it is over, and what was not watched of it
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

  /** Waits once, and moves what can be moved; answers why the session is over, or nothing. */
  String turn(int wakeUp) {
    poller.clear();
    poller.add(wakeUp, Poller.IN);
    List<Way> asks = channel;
    main.forEach(Way::watch);
    asks.forEach(Way::watch);
    poller.await(nanosLeft());
    main.forEach(Way::move);
    if (asks.equals(channel)) { // not exchanged by one of the others just now
      asks.forEach(Way::move);
      if (asks.stream().anyMatch(Way::isOver)) {
        closeChannel();
      }
    }
    for (Way way : main) {
      if (way.isOver()) {
        // What else was said before is passed on: a reply in front of a hang-up, for instance.
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

  /** The first descriptor becomes the far end of a pair of ours. */
  private void interpose(List<OwnedDescriptor> descriptors) {
    SocketPair pair;
    try {
      pair = pairs.get();
    } catch (SystemCallException e) {
      // No more descriptors: the session matters more than what is shown of it.
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
