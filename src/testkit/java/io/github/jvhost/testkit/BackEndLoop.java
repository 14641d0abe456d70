package io.github.jvhost.testkit;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.io.Poller;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The thread of one {@link MockBackEnd}: waits for the next event, handles it, and waits again.
 * Other threads call the other methods.
 */
final class BackEndLoop implements Runnable {
  private static final long BETWEEN_CALLS_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  private final BackEndSetup setup;
  private final BackEndRecord record;
  private final Entrance entrance;
  private final EventFd wakeUp;
  // Fair, because the thread takes the lock again at once, and callers must get their turn.
  private final ReentrantLock lock = new ReentrantLock(true);
  private volatile boolean closing;
  private volatile boolean hangUp;
  private volatile boolean memoryComplete = true;
  // Written with the lock held; the thread releases the lock only while it waits for events.
  // Volatile, because
  // other threads use the back end's own channel while the thread waits for an answer with the lock
  // held.
  private volatile @Nullable BackEndSession session;
  // Guarded by the lock.
  private @Nullable RingTurn turn;
  private FaultScript script;
  private int connections;

  BackEndLoop(BackEndSetup setup, Entrance entrance, EventFd wakeUp, Faults faults) {
    this.setup = setup;
    this.record = setup.record();
    this.entrance = entrance;
    this.wakeUp = wakeUp;
    this.script = new FaultScript(faults);
  }

  void arm(Faults faults) {
    lock.lock();
    try {
      script = new FaultScript(faults);
    } finally {
      lock.unlock();
    }
  }

  void guestMemoryComplete(boolean complete) {
    memoryComplete = complete;
  }

  void hangUpSoon() {
    hangUp = true;
  }

  void closeSoon() {
    closing = true;
  }

  /**
   * Applies a function to the connection's state between two messages. The state is null while
   * there is no connection.
   */
  <T> T look(Function<@Nullable BackEndState, T> question) {
    lock.lock();
    try {
      BackEndSession current = session;
      return question.apply(current == null ? null : current.state());
    } finally {
      lock.unlock();
    }
  }

  /** Returns the back end's own channel, or null while there is none. Does not block. */
  @Nullable BackEndAsker asker() {
    BackEndSession current = session;
    return current == null ? null : current.asker();
  }

  @Override
  public void run() {
    try (RingTurn.Watch watch = new RingTurn.Watch(setup.offer().rings())) {
      lock.lock();
      try {
        while (!closing) {
          lookAround(watch);
        }
      } catch (RuntimeException e) {
        record.note(setup.name() + ": " + e);
      } finally {
        endSession(setup.name() + ": closed");
        lock.unlock();
      }
    }
  }

  private void lookAround(RingTurn.Watch watch) {
    watch.begin(wakeUp.descriptor().number());
    BackEndSession current = session;
    if (current == null) {
      watch.socket(entrance.number());
    } else {
      int readable = current.readable(script);
      watch.socket(readable);
      if (readable < 0) {
        watch.hangUp(current.socket());
      }
      watch.kicks(current);
    }
    boolean calls = current == null && entrance.number() < 0;
    boolean more = turn != null && turn.hasMore();
    lock.unlock();
    try {
      if (calls) {
        awaitCall();
      } else {
        watch.await(more);
      }
    } finally {
      lock.lock();
    }
    if (calls || watch.woken()) {
      wakeUp.drain();
    }
    if (hangUp) {
      hangUp = false;
      endSession(setup.name() + ": hung up on request");
    } else if (current == null) {
      if (calls || watch.socketReady()) {
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
      current.served();
    }
    if (watch.hungUp()) {
      endSession(setup.name() + ": the front end closed the connection");
    } else if (watch.socketReady()) {
      current.state().guestMemoryComplete(memoryComplete);
      String over;
      try {
        over = current.takeMessage(script);
      } catch (RuntimeException e) {
        // A front end's error ends its connection, and never the back end.
        over = e instanceof VhostException ? String.valueOf(e.getMessage()) : String.valueOf(e);
      }
      if (BackEndSession.GOODBYE.equals(over) && !current.heard()) {
        forgetSession();
      } else if (over != null) {
        endSession(over);
      }
    }
  }

  private void accept() {
    BackEndConnection connection;
    try {
      connection = entrance.next();
    } catch (VhostException e) {
      record.note(String.valueOf(e.getMessage()));
      return;
    }
    if (connection == null) {
      return;
    }
    connections++;
    BackEndSession next = new BackEndSession(setup, connection, connections, new Waiting());
    session = next;
    turn = new RingTurn(next, setup.port(), record);
    record.connected();
    if (script.endsConnection()) {
      endSession("scripted: hung up at connection " + connections);
    }
  }

  /**
   * Pauses between two attempts to reach a front end that does not listen. Returns early when the
   * thread is woken.
   */
  private void awaitCall() {
    try (Poller poller = new Poller(1)) {
      poller.add(wakeUp.descriptor().number(), Poller.IN);
      var _ = poller.await(BETWEEN_CALLS_NANOS);
    }
  }

  private void dropArrivals() {
    for (byte[] frame = setup.port().poll(); frame != null; frame = setup.port().poll()) {
      record.drop(FrameDrop.RX_STOPPED, frame);
    }
  }

  private void endSession(String why) {
    if (closeSession()) {
      record.disconnected(why);
    }
  }

  /** Ends a connection on which nothing came, as if it had not been there. */
  private void forgetSession() {
    if (closeSession()) {
      connections--;
      script.forgetConnection();
      record.forgetConnection();
    }
  }

  /** Returns whether there was one. */
  private boolean closeSession() {
    BackEndSession current = session;
    if (current == null) {
      return false;
    }
    session = null;
    turn = null;
    current.close();
    return true;
  }

  private final class Waiting implements BackEndAnswers.Pause {
    @Override
    public void pause(Duration duration) {
      Deadline end = Deadline.after(duration);
      while (!closing && !end.expired()) {
        LockSupport.parkNanos(this, end.remainingNanos());
      }
    }

    @Override
    public boolean isOver() {
      return closing;
    }
  }
}
