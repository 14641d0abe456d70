package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.PrivateListener;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.Poller;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.newsclub.net.unix.AFUNIXSocketChannel;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where operators ask what is going on, and say what is to be done.
 *
 * <pre>
 *   accept: one thread --&gt; a client: one thread, at most eight
 *                            line --&gt; ControlRequest --&gt; Operations --&gt; ControlAnswer --&gt; line
 * </pre>
 *
 * <p>A move takes long, and keeps no other client waiting. A client has ten seconds for each line
 * that it sends and for each answer that it reads. Whoever says nothing for so long, sends what is
 * no line, or reads nothing is hung up on. A client beyond the eighth gets one answer that says so.
 *
 * <p>Any thread may close it.
 */
final class ControlSocket implements AutoCloseable {
  /** The most bytes of a request, with its line feed. */
  static final int LONGEST_REQUEST = 4096;

  /** The most clients at a time. */
  static final int MOST_CLIENTS = 8;

  private static final Logger log = LoggerFactory.getLogger(ControlSocket.class);
  private static final Duration PATIENCE = Duration.ofSeconds(10);

  /** How long it does not accept after accepting has failed, so that it does not spin. */
  private static final Duration PAUSE = Duration.ofMillis(100);

  private static final Duration CLOSING = Duration.ofSeconds(10);
  private static final long A_DAY_NANOS = Duration.ofDays(1).toNanos();

  private final PrivateListener listener;
  private final Operations operations;
  private final DescriptorLedger ledger;
  private final Duration patience;
  private final EventFd end;
  private final Thread thread;
  private final Set<Thread> clients = ConcurrentHashMap.newKeySet();
  private volatile boolean closing;

  /** What can be asked for. Called by several threads at once; each may wait. */
  interface Operations {
    /** {@return what is going on} */
    List<NicStatus> status();

    /**
     * Moves a NIC, and waits until that is done.
     *
     * @throws VhostException if it was not moved
     */
    MoveResult move(String nic, String address, Duration within);

    /**
     * Sets the standby of a NIC.
     *
     * @param address null: none
     * @throws VhostException if that is not possible
     */
    void standby(String nic, @Nullable String address);
  }

  private ControlSocket(
      PrivateListener listener,
      Operations operations,
      DescriptorLedger ledger,
      Duration patience,
      EventFd end) {
    this.listener = listener;
    this.operations = operations;
    this.ledger = ledger;
    this.patience = patience;
    this.end = end;
    this.thread = Thread.ofPlatform().name("jvhost-control").daemon().unstarted(this::run);
  }

  /**
   * Listens, for our own user and root alone. Clients wait until {@link #begin}.
   *
   * @param path of the socket, which gets mode 0600; a socket that nobody serves is replaced
   * @param operations what is asked for
   * @param ledger records the connections
   * @throws VhostException (GIVE_UP) if it cannot listen there
   */
  static ControlSocket listen(Path path, Operations operations, DescriptorLedger ledger) {
    return listen(path, operations, ledger, PATIENCE);
  }

  /** As the other, with another time for clients. */
  static ControlSocket listen(
      Path path, Operations operations, DescriptorLedger ledger, Duration patience) {
    PrivateListener listener = PrivateListener.open(path);
    try {
      EventFd end = EventFd.create(ledger, "end of control");
      return new ControlSocket(listener, operations, ledger, patience, end);
    } catch (RuntimeException e) {
      listener.close();
      throw e;
    }
  }

  /** Begins to serve clients. To be called once. */
  void begin() {
    thread.start();
  }

  private void run() {
    Deadline pause = Deadline.after(Duration.ZERO);
    try (Poller poller = new Poller(2)) {
      while (!closing) {
        poller.clear();
        poller.add(end.descriptor().number(), Poller.IN);
        boolean accepts = pause.expired();
        int newcomer = poller.add(accepts ? listener.number() : -1, Poller.IN);
        poller.await(accepts ? A_DAY_NANOS : pause.remainingNanos());
        if (!closing && poller.ready(newcomer) != 0 && !accept()) {
          pause = Deadline.after(PAUSE);
        }
      }
    } catch (RuntimeException e) {
      log.error("{}: nobody can control the mediator any more", listener.path(), e);
    }
  }

  /** Returns false if accepting has failed. */
  private boolean accept() {
    LineStream client;
    try {
      AFUNIXSocketChannel socket = listener.accept(Deadline.after(Duration.ZERO));
      if (socket == null) {
        return true;
      }
      SocketStream stream = new SocketStream(socket, "a client of " + listener.path(), ledger);
      client = new LineStream(stream, "the client", LONGEST_REQUEST, end.descriptor().number());
      if (!mayStay(stream, client)) {
        stream.close();
        return true;
      }
    } catch (VhostException e) {
      log.warn("{}: a client could not connect: {}", listener.path(), e.getMessage());
      return false;
    }
    Thread serves =
        Thread.ofPlatform()
            .name("jvhost-control client")
            .daemon()
            .unstarted(() -> {
              try {
                serve(client);
              } finally {
                client.close();
                clients.remove(Thread.currentThread());
              }
            });
    clients.add(serves);
    serves.start();
    return true;
  }

  private boolean mayStay(SocketStream stream, LineStream client) {
    try {
      if (!listener.admits(stream.number())) {
        return false;
      }
      if (clients.size() >= MOST_CLIENTS) {
        refuse(client, MOST_CLIENTS + " clients are connected already; try again");
        return false;
      }
      return true;
    } catch (VhostException e) {
      return false; // it has gone already
    }
  }

  private static void refuse(LineStream client, String why) {
    client.send(
        ControlAnswer.failed(new VhostException(why, Recovery.RETRY)),
        Deadline.after(Duration.ZERO));
  }

  private void serve(LineStream client) {
    try {
      while (!closing) {
        String line;
        try {
          line = client.receive(Deadline.after(patience));
        } catch (VhostException e) {
          log.debug("{}: {}", listener.path(), e.getMessage());
          client.send(ControlAnswer.failed(e), Deadline.after(Duration.ZERO));
          return;
        }
        if (line == null) {
          return;
        }
        client.send(answer(line), Deadline.after(patience));
      }
    } catch (VhostException e) {
      log.debug("{}: a client is gone: {}", listener.path(), e.getMessage());
    }
  }

  private byte[] answer(String line) {
    try {
      return switch (ControlRequest.parse(line)) {
        case ControlRequest.Status _ -> ControlAnswer.status(operations.status());
        case ControlRequest.Move(String nic, String address, Duration within) ->
            ControlAnswer.moved(nic, operations.move(nic, address, within));
        case ControlRequest.Standby(String nic, var address) -> {
          operations.standby(nic, address);
          yield ControlAnswer.standby(nic, address);
        }
      };
    } catch (VhostException e) {
      return ControlAnswer.failed(e);
    } catch (RuntimeException e) {
      log.error("{}: an error of the mediator", listener.path(), e);
      return ControlAnswer.failed(
          new VhostException("an error of the mediator: " + e, Recovery.GIVE_UP, e));
    }
  }

  /** Hangs up on all clients, stops listening, and removes the socket. */
  @Override
  public void close() {
    if (closing) {
      return;
    }
    closing = true;
    end.signal();
    Deadline deadline = Deadline.after(CLOSING);
    boolean interrupted = !ended(thread, deadline);
    for (Thread client : clients) {
      client.interrupt(); // a move is waited for by no one any more
      interrupted |= !ended(client, deadline);
    }
    listener.close();
    end.close();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Waits for a thread; false if this one was interrupted meanwhile. */
  private static boolean ended(Thread thread, Deadline deadline) {
    boolean undisturbed = true;
    while (thread.isAlive() && !deadline.expired()) {
      try {
        thread.join(Duration.ofNanos(Math.max(1, deadline.remainingNanos())));
      } catch (InterruptedException e) {
        undisturbed = false;
      }
    }
    return undisturbed;
  }
}
