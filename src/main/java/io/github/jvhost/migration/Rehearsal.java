package io.github.jvhost.migration;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.vhost.RehearsalDevice;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.DeviceRecord;
import io.github.jvhost.vmstate.KnownBody;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Walks the destination's stop window ahead of time, again and again, on devices that stand for the
 * real ones: the final record is read, the state restored, the start told to a peer in this
 * process. What the JVM loads and compiles on the way is not left for the time when a guest is
 * stopped.
 *
 * <pre>
 *   windows    0 ............................... 200 .......................... 1000
 *              in turn, a guest that only sends
 *              and receives: move ring indexes,
 *              in the state and in the start;
 *              and a guest that changed:
 *              decode all, plan               only the first of the two
 * </pre>
 *
 * <p>Bounded in windows and in time, setting the devices up included, and ended at once when the
 * guest is about to stop. Without presetup every window tells everything, as the real one will.
 */
final class Rehearsal {
  private static final Logger log = LoggerFactory.getLogger(Rehearsal.class);

  /**
   * Up to this window, every second one has a guest that changed. A hundred of them are enough to
   * load all that this takes, and for the first compiler to have been at what is done for each ring
   * and message. They come in turn with the others, because on a busy host there may be time for a
   * few windows only.
   */
  private static final int IN_TURN = 200;

  /**
   * What a window does once is compiled by the first compiler after 200 calls
   * (Tier3InvocationThreshold), what it does for each ring and message by the best one meanwhile.
   * What is left over is for them to finish.
   */
  private static final int WINDOWS = 1000;

  private static final Duration BUDGET = Duration.ofSeconds(1);

  /**
   * No device is added when less than this is left: one that is walked is better than two set up.
   */
  private static final Duration FOR_WINDOWS = BUDGET.dividedBy(2);

  /** More devices than this are not rehearsed: they would only take the same way more often. */
  private static final int MOST_DEVICES = 4;

  private Rehearsal() {}

  /** A device on its stage, and its early record as a final one. */
  private record Actor(RehearsalDevice device, DeviceRecord last) {
    VhostNet net() {
      return device.net();
    }
  }

  /** What a source says when its guest has stopped, again and again. */
  private static final class Replay implements MigrationLink {
    private final ByteBuffer messages;

    Replay(ByteBuffer messages) {
      this.messages = messages;
    }

    @Override
    public void receive(ByteBuffer into, Deadline deadline) {
      if (!messages.hasRemaining()) {
        messages.rewind();
      }
      into.put(messages.slice(messages.position(), into.remaining()));
      messages.position(messages.position() + into.limit());
    }

    @Override
    public boolean awaitReadable(Deadline deadline) {
      return true;
    }

    @Override
    public void send(ByteBuffer bytes, Deadline deadline) {
      throw new IllegalStateException("nobody listens");
    }

    @Override
    public void close() {
      // There is nothing to close.
    }
  }

  /** Whether a rehearsal was walked to its end. */
  static boolean isWhole(RehearsalReport report) {
    return report.windows() >= WINDOWS;
  }

  /**
   * Rehearses until it is enough, or until there is no more time for it.
   *
   * @param bodies gives the early body of a device, as the window will have it
   */
  static RehearsalReport run(
      PresetupMode mode,
      List<ReceivedRecord> records,
      Function<String, @Nullable KnownBody> bodies,
      BooleanSupplier noMoreTime) {
    long from = System.nanoTime();
    Deadline deadline = Deadline.after(BUDGET);
    int windows = 0;
    List<Actor> actors = new ArrayList<>();
    try {
      BooleanSupplier over = () -> deadline.expired() || noMoreTime.getAsBoolean();
      for (ReceivedRecord early : records) {
        boolean enough = deadline.remainingNanos() < FOR_WINDOWS.toNanos();
        if (actors.size() == MOST_DEVICES || over.getAsBoolean() || (enough && !actors.isEmpty())) {
          break;
        }
        try {
          actors.add(actor(mode, early, deadline, over));
        } catch (VhostException e) {
          log.debug("{}: not rehearsed: {}", early.net().name(), e.getMessage());
          break;
        }
      }
      List<VhostNet> nets = actors.stream().map(Actor::net).toList();
      MessageStream stream = finalMessages(actors);
      while (windows < WINDOWS && !nets.isEmpty() && !over.getAsBoolean()) {
        boolean changed = windows < IN_TURN && windows % 2 == 1;
        actors.forEach(actor -> actor.device().rewind(changed));
        window(nets, stream, changed ? _ -> null : bodies);
        windows++;
      }
    } catch (VhostException e) {
      log.debug("the rehearsal ended early: {}", e.getMessage());
    } finally {
      actors.forEach(a -> a.device().close());
    }
    log.debug("rehearsed {} windows", windows);
    return new RehearsalReport(windows, System.nanoTime() - from);
  }

  /**
   * One more device on the stage.
   *
   * @throws VhostException there is no more time, or it does not work and cannot be rehearsed
   */
  private static Actor actor(
      PresetupMode mode, ReceivedRecord early, Deadline deadline, BooleanSupplier over) {
    RehearsalDevice device = early.net().migration().rehearsal(deadline);
    try {
      requireTime(over);
      VirtioNetState state = new ReceivedRecord(device.net(), early.content()).decoded();
      requireTime(over);
      device.preset(mode, state);
      if (mode != PresetupMode.OFF) { // without presetup nothing is prepared either
        requireTime(over);
        device.prepareStart(state);
      }
      requireTime(over);
      DeviceRecord record = early.content();
      return new Actor(
          device,
          new DeviceRecord(
              record.device(), DeviceRecord.Kind.FINAL, record.generation(), record.body()));
    } catch (RuntimeException e) {
      device.close();
      throw e;
    }
  }

  private static void requireTime(BooleanSupplier over) {
    if (over.getAsBoolean()) {
      throw new VhostException("there is no more time for it", Recovery.RETRY);
    }
  }

  private static MessageStream finalMessages(List<Actor> actors) {
    List<ByteBuffer> messages = new ArrayList<>();
    actors.forEach(actor -> messages.add(new MigrationMessage.Final(actor.last()).encode()));
    messages.add(new MigrationMessage.Commit().encode());
    ByteBuffer all = ByteBuffer.allocate(messages.stream().mapToInt(ByteBuffer::remaining).sum());
    messages.forEach(all::put);
    return new MessageStream(
        new Replay(all.flip()), MessageTable.End.SOURCE, MigrationOptions.defaults());
  }

  private static void window(
      List<VhostNet> nets, MessageStream stream, Function<String, @Nullable KnownBody> bodies) {
    PhaseClock clock = new PhaseClock("rehearsal"); // nothing of it is recorded
    try (var window = new DestinationWindow(nets, StartOrder.PLANNED, clock)) {
      window.prepare();
      clock.enter(Phase.HAND_OVER);
      for (VhostNet net : nets) {
        if (stream.receive(Phase.STOP) instanceof MigrationMessage.Final(DeviceRecord last)) {
          window.take(new ReceivedRecord(net, last), bodies.apply(last.device()));
        }
      }
      stream.receive(Phase.STOP); // COMMIT
      window.requireAllFinals();
      window.start(List.of());
    }
  }
}
