package io.github.jvhost.testkit;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndConnection;
import io.github.jvhost.channel.BackEndListener;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.testkit.net.SwitchPort;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A vhost-user back end for a virtio-net device: listens on a socket in the file system, serves one
 * front end at a time, and moves frames between its split rings and one port of a switch. After a
 * reconnect everything starts from nothing.
 *
 * <p>One platform thread does everything; the public methods may be called from any other. The
 * socket's thread is kept busy by modelled hardware and by scripted delays, as a real back end's
 * is, and calls that look at rings wait for it.
 */
public final class MockBackEnd implements AutoCloseable {
  private static final Duration LONGEST_CLOSE = Duration.ofSeconds(30);

  private final String name;
  private final BackEndOffer offer;
  private final HardwareModel model;
  private final SwitchPort port;
  private final BackEndListener listener;
  private final EventFd wakeUp;
  private final BackEndRecord record = new BackEndRecord();
  // Fair: the thread takes it again at once, and a caller must not starve.
  private final ReentrantLock lock = new ReentrantLock(true);
  private final Object wakeLock = new Object();
  private final Thread thread;
  private volatile boolean closing;
  private volatile boolean hangUp;
  private volatile boolean memoryComplete = true;
  // Guarded by the lock, which the thread gives back only while it waits.
  private @Nullable BackEndSession session;
  private @Nullable RingTurn turn;
  private FaultScript script;
  private int connections;

  private MockBackEnd(Builder builder, BackEndListener listener, EventFd wakeUp) {
    this.name = builder.name;
    this.offer = builder.offer;
    this.model = builder.model;
    this.port = builder.port;
    this.script = new FaultScript(builder.faults);
    this.listener = listener;
    this.wakeUp = wakeUp;
    this.thread = Thread.ofPlatform().name("mock back end " + name).daemon().unstarted(this::run);
  }

  /**
   * Describes a back end.
   *
   * @param socket where it shall listen; must not exist, at most 107 bytes
   * @param ledger where its descriptors are written down
   */
  public static Builder builder(Path socket, DescriptorLedger ledger) {
    return new Builder(socket, ledger);
  }

  /** Where it listens. */
  public Path socket() {
    return listener.path();
  }

  /** What it offers. */
  public BackEndOffer offer() {
    return offer;
  }

  /** Everything that it was told and did, over all connections. */
  public BackEndRecord record() {
    return record;
  }

  /** Replaces the script of faults; messages are counted from here on. */
  public void arm(Faults faults) {
    lock.lock();
    try {
      script = new FaultScript(faults);
    } finally {
      lock.unlock();
    }
    wake();
  }

  /**
   * Says whether guest memory holds what the rings need; true at first. A ring that is started
   * while it does not is written down as a breach of the rules.
   */
  public void guestMemoryComplete(boolean complete) {
    memoryComplete = complete;
  }

  /** One ring as it is known now; empty while no front end is connected. */
  public Optional<RingView> ring(int number) {
    lock.lock();
    try {
      return session == null ? Optional.empty() : Optional.of(session.state().ring(number));
    } finally {
      lock.unlock();
    }
  }

  /** Whether any ring is served now. */
  public boolean isRunning() {
    lock.lock();
    try {
      return session != null && session.state().isAnyStarted();
    } finally {
      lock.unlock();
    }
  }

  /** Loses the front end's connection as a crash would; goes on listening. Returns at once. */
  public void hangUp() {
    hangUp = true;
    wake();
  }

  /** Stops listening, closes everything, waits for the thread. A second time does nothing. */
  @Override
  public void close() {
    synchronized (wakeLock) {
      closing = true;
      if (wakeUp.descriptor().isOpen()) {
        wakeUp.signal();
      }
    }
    LockSupport.unpark(thread);
    try {
      if (!thread.join(LONGEST_CLOSE)) {
        record.note(name + ": its thread did not end within " + LONGEST_CLOSE);
        return;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return;
    }
    synchronized (wakeLock) {
      wakeUp.close();
    }
    listener.close();
  }

  private void wake() {
    synchronized (wakeLock) {
      if (!closing) {
        wakeUp.signal();
      }
    }
  }

  private void run() {
    try (RingTurn.Watch watch = new RingTurn.Watch(offer.rings())) {
      lock.lock();
      try {
        while (!closing) {
          lookAround(watch);
        }
      } catch (RuntimeException e) {
        record.note(name + ": " + e);
      } finally {
        endSession(name + ": closed");
        lock.unlock();
      }
    }
  }

  private void lookAround(RingTurn.Watch watch) {
    watch.begin(wakeUp.descriptor().number());
    BackEndSession current = session;
    if (current == null) {
      watch.socket(listener.number());
    } else {
      int readable = current.readable(script);
      watch.socket(readable);
      if (readable < 0) {
        watch.hangUp(current.socket());
      }
      watch.kicks(current);
    }
    boolean more = turn != null && turn.hasMore();
    lock.unlock();
    try {
      watch.await(more);
    } finally {
      lock.lock();
    }
    if (watch.woken()) {
      wakeUp.drain();
    }
    if (hangUp) {
      hangUp = false;
      endSession(name + ": hung up on request");
    } else if (current == null) {
      if (watch.socketReady()) {
        accept();
      }
      dropArrivals();
    } else {
      serve(current, watch);
    }
  }

  private void serve(BackEndSession current, RingTurn.Watch watch) {
    if (turn != null) {
      turn.noteKicks(watch);
      turn.serve();
    }
    if (watch.hungUp()) {
      endSession(name + ": the front end closed the connection");
    } else if (watch.socketReady()) {
      current.state().guestMemoryComplete(memoryComplete);
      String over;
      try {
        over = current.takeMessage(script);
      } catch (RuntimeException e) {
        // Whatever a front end does costs it the connection, never the back end.
        over = e instanceof VhostException ? String.valueOf(e.getMessage()) : String.valueOf(e);
      }
      if (over != null) {
        endSession(over);
      }
    }
  }

  private void accept() {
    BackEndConnection connection;
    try {
      connection = listener.accept(Deadline.after(Duration.ZERO));
    } catch (VhostException e) {
      record.note(String.valueOf(e.getMessage()));
      return;
    }
    if (connection != null) {
      connections++;
      ModelledHardware hardware = new ModelledHardware(model, record::charge);
      session =
          new BackEndSession(connection, connections, offer, hardware, port, record, this::pause);
      turn = new RingTurn(session, port, record);
      record.connected();
    }
  }

  private void dropArrivals() {
    for (byte[] frame = port.poll(); frame != null; frame = port.poll()) {
      record.drop(FrameDrop.RX_STOPPED, frame);
    }
  }

  private void endSession(String why) {
    if (session != null) {
      session.close();
      session = null;
      turn = null;
      record.disconnected(why);
    }
  }

  private void pause(Duration duration) {
    Deadline end = Deadline.after(duration);
    while (!closing && !end.expired()) {
      LockSupport.parkNanos(this, end.remainingNanos());
    }
  }

  /** What a back end shall be like. Everything has a default. */
  public static final class Builder {
    private final Path socket;
    private final DescriptorLedger ledger;
    private String name;
    private BackEndOffer offer = BackEndOffer.of(Personality.GENERIC);
    private HardwareModel model = HardwareModel.none();
    private SwitchPort port = new UnpluggedPort();
    private Faults faults = Faults.none();

    private Builder(Path socket, DescriptorLedger ledger) {
      this.socket = Objects.requireNonNull(socket, "socket");
      this.ledger = Objects.requireNonNull(ledger, "ledger");
      this.name = String.valueOf(socket.getFileName());
    }

    /** How messages call it; the socket's file name at first. */
    public Builder name(String text) {
      this.name = text;
      return this;
    }

    /** What it offers and how it behaves; the GENERIC personality's at first. */
    public Builder offer(BackEndOffer what) {
      this.offer = what;
      return this;
    }

    /** What configuring it costs; nothing at first. */
    public Builder hardware(HardwareModel price) {
      this.model = price;
      return this;
    }

    /** Where its frames go to and come from; the port stays the caller's. Unplugged at first. */
    public Builder port(SwitchPort plug) {
      this.port = plug;
      return this;
    }

    /** What it does wrong; nothing at first. */
    public Builder faults(Faults what) {
      this.faults = what;
      return this;
    }

    /**
     * Listens, and starts the thread.
     *
     * @return the caller's to close
     * @throws VhostException when it cannot listen there
     */
    public MockBackEnd start() {
      EventFd wakeUp = EventFd.create(ledger, name + " wake-up");
      MockBackEnd backEnd;
      try {
        backEnd = new MockBackEnd(this, BackEndListener.listen(socket, ledger), wakeUp);
      } catch (RuntimeException e) {
        wakeUp.close();
        throw e;
      }
      port.onFrame(backEnd::wake);
      backEnd.thread.start();
      return backEnd;
    }
  }
}
