package io.github.jvhost.testkit;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
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

/** Everything that one mock back end received and did, over all its connections. Thread-safe. */
public final class BackEndRecord {
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final List<RecordedMessage> messages = new ArrayList<>();
  private final List<RecordedAsk> asks = new ArrayList<>();
  private final List<ConfigCharge> charges = new ArrayList<>();
  private final List<RuleBreach> violations = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private final Map<FrameDrop, Long> drops = new EnumMap<>(FrameDrop.class);
  private final List<IotlbCounts.Miss> misses = new ArrayList<>();
  private long translations;
  private long ignoredTranslations;
  private long invalidations;
  private long droppedEchoes;
  private long replies;
  private long guestWrites;
  private long received;
  private long transmitted;
  private int connections;
  private int disconnections;

  BackEndRecord() {}

  /**
   * {@return a place in the list of messages, behind all messages so far} It is valid until {@link
   * #forget()}.
   */
  public int mark() {
    return locked(messages::size);
  }

  /** {@return all messages, in order} */
  public List<RecordedMessage> messages() {
    return since(0);
  }

  /**
   * {@return the messages after a mark, in order}
   *
   * @param mark what {@link #mark()} returned
   */
  public List<RecordedMessage> since(int mark) {
    return locked(() -> List.copyOf(messages.subList(mark, messages.size())));
  }

  /** {@return the names of all messages, in order} */
  public List<String> names() {
    return names(0);
  }

  /**
   * {@return the names of the messages after a mark, in order}
   *
   * @param mark what {@link #mark()} returned
   */
  public List<String> names(int mark) {
    return since(mark).stream().map(RecordedMessage::name).toList();
  }

  /**
   * {@return how often a kind of message was received}
   *
   * @param request the kind of message
   */
  public long count(FrontEndRequest request) {
    return messages().stream().filter(m -> m.request() == request).count();
  }

  /**
   * {@return how many descriptors came with all messages of one kind}
   *
   * @param request the kind of message
   */
  public long descriptors(FrontEndRequest request) {
    return messages().stream()
        .filter(m -> m.request() == request)
        .mapToLong(RecordedMessage::descriptors)
        .sum();
  }

  /** {@return what was sent on the back end's own channel, in order} */
  public List<RecordedAsk> asks() {
    return locked(() -> List.copyOf(asks));
  }

  /**
   * Deletes messages, requests on the back end's own channel, misses, charges and notes, for runs
   * of many thousand connections. The counts that are made from them ({@link #count}, {@link
   * #descriptors(FrontEndRequest)}, {@link #chargedMicros}, {@link IotlbCounts#misses}) restart at
   * 0. All other counts and the breaches of the rules stay.
   */
  public void forget() {
    change(() -> {
      messages.clear();
      asks.clear();
      charges.clear();
      misses.clear();
      notes.clear();
    });
  }

  /** {@return what it was told and asked for about I/O virtual addresses} */
  public IotlbCounts iotlb() {
    return locked(() -> new IotlbCounts(translations, ignoredTranslations, invalidations, misses));
  }

  /** {@return how many replies were sent, acknowledgements included} */
  public long replies() {
    return locked(() -> replies);
  }

  /** {@return the time spent on modelled hardware, in order} */
  public List<ConfigCharge> charges() {
    return locked(() -> List.copyOf(charges));
  }

  /** {@return all modelled time together, in microseconds} */
  public long chargedMicros() {
    return charges().stream().mapToLong(ConfigCharge::micros).sum();
  }

  /** {@return the front end's breaches of the rules, in order} */
  public List<RuleBreach> violations() {
    return locked(() -> List.copyOf(violations));
  }

  /**
   * {@return notes for people, such as why a connection ended or why a ring was given up} There is
   * no note where the front end closed the connection between two messages.
   */
  public List<String> notes() {
    return locked(() -> List.copyOf(notes));
  }

  /**
   * {@return how many frames were dropped for one reason}
   *
   * @param reason the one reason; for all of them see {@link #drops()}
   */
  public long drops(FrameDrop reason) {
    return locked(() -> drops.getOrDefault(reason, 0L));
  }

  /** {@return how many frames were dropped for any reason} */
  public long drops() {
    return locked(() -> drops.values().stream().mapToLong(Long::longValue).sum());
  }

  /** {@return how many of the dropped frames were pings or answers to pings} */
  public long droppedEchoes() {
    return locked(() -> droppedEchoes);
  }

  /** {@return how many times guest memory was written, used rings included} */
  public long guestWrites() {
    return locked(() -> guestWrites);
  }

  /** {@return how many frames were put into RX rings} */
  public long delivered() {
    return locked(() -> received);
  }

  /** {@return how many frames were taken from TX rings and sent} */
  public long transmitted() {
    return locked(() -> transmitted);
  }

  /**
   * {@return how many connections there were, accepted ones and ones that it made itself} A
   * connection that the other side closes before it sends a byte counts only while it is there: it
   * is no front end, but a program that looks whether somebody listens.
   */
  public int connections() {
    return locked(() -> connections);
  }

  /** {@return how many connections have ended} */
  public int disconnections() {
    return locked(() -> disconnections);
  }

  /**
   * Waits until a condition is true for this record.
   *
   * @param condition tested after every change, on the calling thread; it may call this record's
   *     methods
   * @param deadline when to give up
   * @return true if the condition became true before the deadline
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
        // The remaining time is computed each time, because a wake-up may be spurious.
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

  void missed(IotlbCounts.Miss miss) {
    change(() -> misses.add(miss));
  }

  void translationTold(Iotlb message, boolean kept) {
    change(() -> {
      if (message.type() == Iotlb.INVALIDATE) {
        invalidations++;
      } else {
        translations++;
        ignoredTranslations += kept ? 0 : 1;
      }
    });
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

  /** The last connection was no front end's. */
  void forgetConnection() {
    change(() -> connections--);
  }

  void disconnected(String why) {
    change(() -> {
      disconnections++;
      if (!why.equals(BackEndSession.GOODBYE)) {
        notes.add(why);
      }
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
