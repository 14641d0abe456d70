package io.github.jvhost.mediate.peer;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.PrivateListener;
import io.github.jvhost.channel.socket.StaleSocket;
import io.github.jvhost.mediate.peer.PeerAddress.Local;
import io.github.jvhost.mediate.peer.PeerAddress.Port;
import io.github.jvhost.sys.Deadline;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ProtocolFamily;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The link to the other mediator. It connects, or listens, again and again from {@link #begin}
 * until it is closed. It carries {@link Hint}s both ways. The package's description has the bytes
 * and the times.
 *
 * <pre>
 *        +-------- pause, 0.1 to 5 s &lt;----------------------------------+
 *        v                                                              |
 *   waiting --connect or accept--&gt; greeting --first line--&gt; connected --+-- end, rubbish,
 *        ^                             |                                    silence, flood
 *        +-------- pause &lt;-------------+
 * </pre>
 *
 * <p>One daemon thread has the sockets and calls the listener. While the listener has it, nothing
 * is sent and nothing is read: a listener that takes ten seconds makes this side look dead. {@link
 * #publish} and {@link #close} may be called from any thread, also from the listener. What a
 * listener throws is logged.
 *
 * <p>The sockets are the JDK's: it has a selector for both families that another thread can wake,
 * and no descriptors cross this link.
 */
public final class PeerLink implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(PeerLink.class);
  private static final int BACKLOG = 4;

  /** A thread that a listener holds up is not waited for any longer. */
  private static final long CLOSE_MILLIS = 5_000;

  /** Who is told what happens on a link: by the thread of the link, one call after the other. */
  public interface Listener {
    /** A peer that speaks this protocol is there. Its hints follow. */
    void connected();

    /**
     * The peer says something about one NIC. It may be wrong or forged, and the name may be one
     * that nobody knows here.
     *
     * @param hint with values that were checked for ranges only
     */
    void received(Hint hint);

    /**
     * A peer that was connected is no longer there. What it said may be out of date. This is not
     * called when the link is closed on this side.
     *
     * @param reason a sentence for the log and the operator
     */
    void lost(String reason);
  }

  private final PeerAddress address;
  private final Listener listener;
  private final LinkLimits limits;
  private final Selector selector;
  private final @Nullable ServerSocketChannel server;
  private final @Nullable SelectionKey newcomers;
  private final Thread thread;
  private final Object lock = new Object();

  /** The newest hint of each NIC. Guarded by {@link #lock}. */
  private final Map<String, Hint> newest = new LinkedHashMap<>();

  /** Those of which the peer does not have the newest hint yet. Guarded by {@link #lock}. */
  private final Set<String> unsent = new LinkedHashSet<>();

  private volatile boolean closed;
  private volatile boolean connected;
  private String lastLogged = "";

  private PeerLink(PeerAddress address, Listener listener, LinkLimits limits) {
    this.listener = listener;
    this.limits = limits;
    ServerSocketChannel opened = null;
    Selector waits = null;
    boolean ready = false;
    try {
      waits = Selector.open();
      opened = address.listens() ? listen(address) : null;
      this.address = opened == null ? address : where(address, opened);
      this.newcomers = opened == null ? null : opened.register(waits, 0);
      ready = true;
    } catch (IOException e) {
      throw new VhostException("peer " + address + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    } finally {
      if (!ready) {
        closeQuietly(opened);
        closeQuietly(waits);
      }
    }
    this.server = opened;
    this.selector = waits;
    this.thread = Thread.ofPlatform().daemon().name("jvhost-peer").unstarted(this::run);
  }

  /**
   * Opens a link. If it listens, it does so from now on; peers wait until {@link #begin}.
   *
   * @param address where the other mediator is, or where to listen for it
   * @param listener is told what happens
   * @return the link, which the caller closes
   * @throws VhostException (GIVE_UP) if it cannot listen there. A peer that cannot be reached is no
   *     failure
   */
  public static PeerLink open(PeerAddress address, Listener listener) {
    return open(address, listener, LinkLimits.USUAL);
  }

  static PeerLink open(PeerAddress address, Listener listener, LinkLimits limits) {
    return new PeerLink(address, listener, limits);
  }

  /**
   * Starts the thread of the link. To be called once.
   *
   * @return this
   */
  public PeerLink begin() {
    thread.start();
    return this;
  }

  /**
   * Tells the peer about a NIC as soon as it can be told. Never waits. Only the last hint of each
   * NIC is kept; it is told again after each time that the link is made anew.
   *
   * @param hint replaces the one of the same NIC
   */
  public void publish(Hint hint) {
    synchronized (lock) {
      newest.put(hint.nic(), hint);
      unsent.add(hint.nic());
    }
    selector.wakeup();
  }

  /** {@return whether a peer that speaks this protocol is there now} */
  public boolean isConnected() {
    return connected;
  }

  /** {@return the address of the link; where it listens, with the port that it has} */
  public PeerAddress address() {
    return address;
  }

  /**
   * Ends the link and removes the socket that it made. Hints that were not sent yet are not sent;
   * the peer sees that the link is lost. Waits up to 5 s for a listener that is being called,
   * unless it is the one that calls this. A second call does nothing.
   */
  @Override
  public void close() {
    closed = true;
    if (thread.getState() == Thread.State.NEW) {
      end(); // it has not begun
      return;
    }
    selector.wakeup();
    if (Thread.currentThread() == thread) {
      return;
    }
    try {
      thread.join(CLOSE_MILLIS);
    } catch (InterruptedException _) {
      Thread.currentThread().interrupt(); // the thread ends by itself
    }
  }

  private void run() {
    long pause = limits.shortestPauseNanos();
    try {
      while (!closed) {
        long before = System.nanoTime();
        String why = attempt();
        if (System.nanoTime() - before > limits.longestPauseNanos()) {
          pause = limits.shortestPauseNanos();
        }
        if (!closed) {
          logOnce(why);
          rest(Deadline.in(pause, TimeUnit.NANOSECONDS));
          pause = Math.min(2 * pause, limits.longestPauseNanos());
        }
      }
    } catch (IOException e) {
      log.error("peer {}: the link is given up", address, e);
    } finally {
      end();
    }
  }

  private void end() {
    closeQuietly(server);
    closeQuietly(selector);
    removeSocket();
  }

  /**
   * One connection, from its attempt to its end.
   *
   * @return why it ended
   * @throws IOException if the selector fails, which it does not
   */
  private String attempt() throws IOException {
    try (SocketChannel socket = server == null ? dial() : accept(server)) {
      return socket == null ? "closed" : serve(socket);
    } catch (PeerLostException e) {
      return String.valueOf(e.getMessage());
    }
  }

  /** Waits without serving anybody, and ends early when the link is closed. */
  private void rest(Deadline deadline) throws IOException {
    while (!closed && !deadline.expired()) {
      await(deadline.remainingNanos());
    }
  }

  /** Waits for a socket, a hint, the close or the time. */
  private void await(long nanos) throws IOException {
    // A wait of 0 would have no end; the selector counts in milliseconds.
    selector.select(Math.max(1, TimeUnit.NANOSECONDS.toMillis(nanos) + 1));
    selector.selectedKeys().clear();
  }

  private @Nullable SocketChannel dial() throws IOException, PeerLostException {
    SocketChannel socket = null;
    boolean done = false;
    try {
      socket = SocketChannel.open(family(address));
      socket.configureBlocking(false);
      done = socket.connect(address.socketAddress());
      socket.register(selector, SelectionKey.OP_CONNECT);
      Deadline deadline = Deadline.in(limits.silenceNanos(), TimeUnit.NANOSECONDS);
      while (!done && !closed) {
        if (deadline.expired()) {
          throw new PeerLostException("nobody accepted the connection within " + deadline);
        }
        await(deadline.remainingNanos());
        done = socket.finishConnect();
      }
      return done ? socket : null;
    } catch (IOException e) {
      throw new PeerLostException("connecting failed: " + e.getMessage());
    } finally {
      if (!done) {
        closeQuietly(socket);
        selector.selectNow(); // a key that is cancelled keeps its socket open until then
      }
    }
  }

  private @Nullable SocketChannel accept(ServerSocketChannel listening)
      throws IOException, PeerLostException {
    wantNewcomers(true);
    try {
      while (!closed) {
        SocketChannel socket = listening.accept();
        if (socket != null) {
          return socket;
        }
        await(limits.silenceNanos());
      }
      return null;
    } catch (IOException e) {
      throw new PeerLostException("accepting failed: " + e.getMessage());
    } finally {
      wantNewcomers(false);
    }
  }

  private void wantNewcomers(boolean want) {
    if (newcomers != null) {
      newcomers.interestOps(want ? SelectionKey.OP_ACCEPT : 0);
    }
  }

  /**
   * Serves a peer until it is gone or this link is closed.
   *
   * @return why it ended
   */
  private String serve(SocketChannel socket) throws IOException {
    String why;
    boolean greeted = false;
    try {
      socket.configureBlocking(false);
      if (address.place() instanceof Port) {
        // A hint does not wait for the acknowledgement of the last sign of life.
        socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
      }
      SelectionKey key = socket.register(selector, SelectionKey.OP_READ);
      wantNewcomers(true);
      allUnsent();
      PeerConnection peer = new PeerConnection(socket, limits);
      while (!closed) {
        peer.send(this::nextHint);
        Optional<Hint> hint = peer.next();
        if (!greeted && peer.greeted()) {
          greeted = true;
          connected = true;
          logOnce("connected");
          call(listener::connected);
        }
        if (hint.isPresent()) {
          call(() -> listener.received(hint.get()));
        } else {
          key.interestOps(peer.interest());
          await(peer.remainingNanos());
          refuseOthers();
          peer.receive();
        }
      }
      why = "closed";
    } catch (PeerLostException e) {
      why = String.valueOf(e.getMessage());
    } catch (IOException e) {
      why = "the connection failed: " + e.getMessage();
    } catch (VhostException e) {
      why = "the peer sent what it must not send: " + e.getMessage();
    } finally {
      connected = false;
      wantNewcomers(false);
      closeQuietly(socket);
      selector.selectNow(); // a key that is cancelled keeps its socket open until then
    }
    if (greeted && !closed) {
      String reason = why;
      call(() -> listener.lost(reason));
    }
    return why;
  }

  private void allUnsent() {
    synchronized (lock) {
      unsent.addAll(newest.keySet());
    }
  }

  /** The next hint that the peer does not have; it has it from now on. Null if there is none. */
  private @Nullable Hint nextHint() {
    synchronized (lock) {
      Iterator<String> next = unsent.iterator();
      if (!next.hasNext()) {
        return null;
      }
      Hint hint = newest.get(next.next());
      next.remove();
      return hint;
    }
  }

  /** One peer at a time: whoever connects besides is closed, and comes again later. */
  private void refuseOthers() throws IOException {
    SocketChannel other = server == null ? null : server.accept();
    if (other != null) {
      other.close();
      logOnce("a second peer was refused");
    }
  }

  private void call(Runnable what) {
    try {
      what.run();
    } catch (RuntimeException e) {
      log.error("peer {}: the listener failed, and the link goes on", address, e);
    }
  }

  /** An attempt that fails as the one before is no news. */
  private void logOnce(String what) {
    if (!what.equals(lastLogged)) {
      lastLogged = what;
      log.info("peer {}: {}", address, what);
    }
  }

  private static ServerSocketChannel listen(PeerAddress address) throws IOException {
    ServerSocketChannel server = ServerSocketChannel.open(family(address));
    boolean listens = false;
    try {
      server.configureBlocking(false);
      if (address.place() instanceof Local local) {
        StaleSocket.removeAt(local.path());
        server.bind(address.socketAddress(), BACKLOG);
        PrivateListener.restrict(local.path());
        hangUpOnTheEarly(server);
      } else {
        server.bind(address.socketAddress(), BACKLOG);
      }
      listens = true;
      return server;
    } finally {
      if (!listens) {
        closeQuietly(server);
      }
    }
  }

  /** Somebody else may have connected before the socket had its mode. */
  private static void hangUpOnTheEarly(ServerSocketChannel server) throws IOException {
    for (SocketChannel early = server.accept(); early != null; early = server.accept()) {
      early.close();
    }
  }

  private static PeerAddress where(PeerAddress address, ServerSocketChannel server)
      throws IOException {
    return address.place() instanceof Port port
            && server.getLocalAddress() instanceof InetSocketAddress bound
        ? new PeerAddress(true, new Port(port.v6(), bound.getPort()))
        : address;
  }

  private static ProtocolFamily family(PeerAddress address) {
    return switch (address.place()) {
      case Local _ -> StandardProtocolFamily.UNIX;
      case Port port -> port.v6() ? StandardProtocolFamily.INET6 : StandardProtocolFamily.INET;
    };
  }

  private void removeSocket() {
    if (server != null && address.place() instanceof Local(Path path)) {
      try {
        Files.deleteIfExists(path);
      } catch (IOException e) {
        log.warn("peer {}: its socket stays: {}", address, e.getMessage());
      }
    }
  }

  private static void closeQuietly(@Nullable Closeable resource) {
    try {
      if (resource != null) {
        resource.close();
      }
    } catch (IOException _) {
      // Nothing that counts is buffered: a peer that comes back gets every hint again.
    }
  }
}
