package io.github.jvhost.testkit;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.testkit.net.Packet;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import java.util.function.Supplier;

/** Everything that one mock back end was told and did, over all its connections. Thread-safe. */
public final class BackEndRecord {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final List<RecordedMessage> messages = new ArrayList<>();
  private final List<RecordedAsk> asks = new ArrayList<>();
  private final List<ConfigCharge> charges = new ArrayList<>();
  private final List<RuleBreach> violations = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private final Map<FrameDrop, Long> drops = new EnumMap<>(FrameDrop.class);
  private long droppedEchoes;
  private long replies;
  private long guestWrites;
  private long received;
  private long transmitted;
  private int connections;
  private int disconnections;

  BackEndRecord() {}

  /** A place in the list of messages: everything so far is before it. */
  public int mark() {
    return locked(messages::size);
  }

  /** All messages, in order. */
  public List<RecordedMessage> messages() {
    return since(0);
  }

  /** The messages after a {@link #mark()}, in order. */
  public List<RecordedMessage> since(int mark) {
    return locked(() -> List.copyOf(messages.subList(mark, messages.size())));
  }

  /** The names of all messages, in order. */
  public List<String> names() {
    return names(0);
  }

  /** The names of the messages after a {@link #mark()}, in order. */
  public List<String> names(int mark) {
    return since(mark).stream().map(RecordedMessage::name).toList();
  }

  /** How often this was told. */
  public long count(FrontEndRequest request) {
    return messages().stream().filter(m -> m.request() == request).count();
  }

  /** How many descriptors came with all messages of this kind. */
  public long descriptors(FrontEndRequest request) {
    return messages().stream()
        .filter(m -> m.request() == request)
        .mapToLong(RecordedMessage::descriptors)
        .sum();
  }

  /** What was sent on the back end's own channel, in order. */
  public List<RecordedAsk> asks() {
    return locked(() -> List.copyOf(asks));
  }

  /** Forgets lists, for runs of many thousand connections; all counts go on. */
  public void forget() {
    change(() -> {
      messages.clear();
      asks.clear();
      charges.clear();
      notes.clear();
    });
  }

  /** How many replies were sent, acknowledgements included. */
  public long replies() {
    return locked(() -> replies);
  }

  /** The time spent on modelled hardware, in order. */
  public List<ConfigCharge> charges() {
    return locked(() -> List.copyOf(charges));
  }

  /** All modelled time together, microseconds. */
  public long chargedMicros() {
    return charges().stream().mapToLong(ConfigCharge::micros).sum();
  }

  /** What the front end did that it must not do, in order. */
  public List<RuleBreach> violations() {
    return locked(() -> List.copyOf(violations));
  }

  /** What else is worth reading: why a connection ended, why a ring was given up. */
  public List<String> notes() {
    return locked(() -> List.copyOf(notes));
  }

  /** How many frames were dropped for this reason. */
  public long drops(FrameDrop reason) {
    return locked(() -> drops.getOrDefault(reason, 0L));
  }

  /** How many frames were dropped for any reason. */
  public long drops() {
    return locked(() -> drops.values().stream().mapToLong(Long::longValue).sum());
  }

  /** How many of the dropped frames were pings or answers to pings. */
  public long droppedEchoes() {
    return locked(() -> droppedEchoes);
  }

  /** How many times guest memory was written, used rings included. */
  public long guestWrites() {
    return locked(() -> guestWrites);
  }

  /** How many frames were put into RX rings. */
  public long delivered() {
    return locked(() -> received);
  }

  /** How many frames were taken from TX rings and sent. */
  public long transmitted() {
    return locked(() -> transmitted);
  }

  /** How many connections were accepted. */
  public int connections() {
    return locked(() -> connections);
  }

  /** How many connections have ended. */
  public int disconnections() {
    return locked(() -> disconnections);
  }

  /**
   * Waits until something holds of this record.
   *
   * @param condition asked again after every change, on the calling thread, and free to call this
   *     record's methods
   * @param deadline when to give up
   * @return whether it held in time
   * @throws InterruptedException when the calling thread is interrupted
   */
  public boolean await(Predicate<BackEndRecord> condition, Deadline deadline)
      throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (!condition.test(this)) {
        if (deadline.expired()) {
          return false;
        }
        // What is left is asked anew each time: a wake-up may be spurious.
        var _ = changed.awaitNanos(deadline.remainingNanos());
      }
      return true;
    } finally {
      lock.unlock();
    }
  }

  void message(RecordedMessage message) {
    change(() -> messages.add(message));
  }

  void asked(RecordedAsk ask) {
    change(() -> asks.add(ask));
  }

  void reply() {
    change(() -> replies++);
  }

  void charge(ConfigCharge charge) {
    change(() -> charges.add(charge));
  }

  void violations(List<RuleBreach> more) {
    if (!more.isEmpty()) {
      change(() -> violations.addAll(more));
    }
  }

  void note(String note) {
    change(() -> notes.add(note));
  }

  void drop(FrameDrop reason, byte[] frame) {
    boolean echo = Packet.parse(frame).filter(Packet.Echo.class::isInstance).isPresent();
    change(() -> {
      drops.merge(reason, 1L, Long::sum);
      droppedEchoes += echo ? 1 : 0;
    });
  }

  void wroteGuestMemory() {
    change(() -> guestWrites++);
  }

  void delivered(long frames) {
    change(() -> received += frames);
  }

  void transmitted(long frames) {
    change(() -> transmitted += frames);
  }

  void connected() {
    change(() -> connections++);
  }

  void disconnected(String why) {
    change(() -> {
      disconnections++;
      notes.add(why);
    });
  }

  private void change(Runnable change) {
    lock.lock();
    try {
      change.run();
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private <T> T locked(Supplier<T> question) {
    lock.lock();
    try {
      return question.get();
    } finally {
      lock.unlock();
    }
  }
}
