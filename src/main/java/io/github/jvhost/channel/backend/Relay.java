package io.github.jvhost.channel.backend;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.Connector;
import io.github.jvhost.channel.socket.ListeningSocket;
import io.github.jvhost.channel.socket.StaleSocket;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.Poller;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.newsclub.net.unix.AFUNIXSocketChannel;

/**
 * Stands between a front end and a back end. It listens for the front end, connects to the back
 * end, and passes every message on, unchanged, with its descriptors. An observer sees each message.
 * Only the descriptor of SET_BACKEND_REQ_FD is replaced, so that the observer sees the back end's
 * own channel too.
 *
 * <pre>
 *   front end ---> [listen]  Relay  [connect] ---> back end
 *                              |
 *                              +--> RelayObserver
 * </pre>
 *
 * <p>There is one front end at a time; others wait in the listener's queue. If nobody listens on
 * the back end's socket, the relay closes the front end's connection. When either side closes its
 * connection, or shuts one half of it down, the session ends and the next front end may come.
 *
 * <p>It passes invalid messages on as they came. After a header that announces a payload larger
 * than {@link io.github.jvhost.protocol.Header#MAX_PAYLOAD}, all that follows in that direction is
 * passed on as bytes, without message borders. A peer that sends half a message delays only its own
 * direction.
 *
 * <p>One platform thread of its own does all this, from {@link #start} to {@link #close}. Any
 * thread may call the methods.
 */
public final class Relay implements AutoCloseable {
  private static final Duration CONNECTING = Duration.ofSeconds(2);
  private static final Duration ENDING = Duration.ofSeconds(10);
  private static final String REFUSED = "the front end was refused";
  private static final long A_DAY_NANOS = TimeUnit.DAYS.toNanos(1);

  private final ListeningSocket listener;
  private final Path backEnd;
  private final DescriptorLedger ledger;
  private final RelayObserver observer;
  private final EventFd wakeUp;
  private final Thread thread;
  private final Object closeLock = new Object();
  private volatile boolean closing;
  private boolean closed; // under closeLock
  private volatile @Nullable RuntimeException failure;

  private Relay(
      ListeningSocket listener,
      Path backEnd,
      DescriptorLedger ledger,
      RelayObserver observer,
      EventFd wakeUp) {
    this.listener = listener;
    this.backEnd = backEnd;
    this.ledger = ledger;
    this.observer = observer;
    this.wakeUp = wakeUp;
    this.thread = Thread.ofPlatform().name("relay to " + backEnd).daemon().unstarted(this::run);
  }

  /**
   * Starts to listen and to relay.
   *
   * @param listen where front ends connect, at most 107 bytes; only a socket that nobody listens on
   *     may be there
   * @param backEnd where the back end listens; it need not exist before the first front end comes
   * @param ledger where descriptors are recorded while the relay has them
   * @param observer is called with what happens
   * @return the relay, which the caller closes
   * @throws VhostException (GIVE_UP) if it cannot listen there
   */
  public static Relay start(
      Path listen, Path backEnd, DescriptorLedger ledger, RelayObserver observer) {
    Connector.requireThatItFits(backEnd, "connecting to " + backEnd + ": ");
    StaleSocket.removeAt(listen);
    RelayRehearsal.run(ledger);
    EventFd wakeUp = EventFd.create(ledger, "relay wake-up");
    ListeningSocket listener;
    try {
      listener = ListeningSocket.open(listen);
    } catch (RuntimeException e) {
      wakeUp.close();
      throw e;
    }
    var relay = new Relay(listener, backEnd, ledger, observer, wakeUp);
    relay.thread.start();
    return relay;
  }

  /** {@return whether it still relays; otherwise {@link #close} says why not} */
  public boolean isAlive() {
    return thread.isAlive();
  }

  private void run() {
    int session = 0;
    try (Poller poller = new Poller(2)) {
      while (!closing) {
        poller.clear();
        poller.add(wakeUp.descriptor().number(), Poller.IN);
        int waiting = poller.add(listener.number(), Poller.IN);
        poller.await(A_DAY_NANOS);
        if (!closing && poller.ready(waiting) != 0) {
          AFUNIXSocketChannel accepted = listener.accept(Deadline.after(Duration.ofMillis(1)));
          if (accepted != null) {
            session++;
            String why = serve(session, accepted);
            observer.ended(session, System.nanoTime(), why);
          }
        }
      }
    } catch (RuntimeException e) {
      failure = e;
    }
  }

  /** Serves one session and returns why it is over. */
  private String serve(int session, AFUNIXSocketChannel accepted) {
    RelayEnd front;
    RelayEnd back;
    try {
      front = RelayEnd.of(accepted, "the front end", ledger);
    } catch (VhostException e) {
      return REFUSED + ": " + e.getMessage();
    }
    try {
      AFUNIXSocketChannel connected =
          Connector.connect(backEnd, REFUSED, "back end", Deadline.after(CONNECTING));
      back = RelayEnd.of(connected, "the back end", ledger);
    } catch (VhostException e) {
      front.close();
      return String.valueOf(e.getMessage());
    }
    try (var relayed = new RelaySession(session, front, back, ledger, observer::passed)) {
      observer.connected(session, System.nanoTime());
      return relayed.run(wakeUp.descriptor().number(), () -> closing);
    }
  }

  /** Waits for the thread, also when interrupted, because what it uses is closed next. */
  private boolean ended(Deadline deadline) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return thread.join(Duration.ofNanos(deadline.remainingNanos()));
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /**
   * Ends the session, if there is one, stops listening, and removes the socket. A second call does
   * nothing. While another thread closes the relay, this waits for it.
   *
   * @throws VhostException (GIVE_UP) if the relay had ended before, because its listening socket
   *     failed or the observer threw an exception; or if the observer does not return. In that case
   *     the call can be made again
   */
  @Override
  public void close() {
    close(Deadline.after(ENDING));
  }

  /** The same with another deadline for the observer to return. */
  void close(Deadline deadline) {
    synchronized (closeLock) {
      if (closed) {
        return;
      }
      closing = true;
      wakeUp.signal();
      if (!ended(deadline)) {
        throw new VhostException(
            "closing the relay: its observer does not return", Recovery.GIVE_UP);
      }
      closed = true;
      listener.close();
      wakeUp.close();
    }
    RuntimeException why = failure;
    if (why != null) {
      throw new VhostException("the relay had ended: " + why.getMessage(), Recovery.GIVE_UP, why);
    }
  }
}
