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
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the destination's stop window again and again before the guest stops, on copies of the
 * devices: it reads a final record, restores the state and sends the start to a peer in this
 * process. So the JVM has loaded and compiled this code before the real window.
 *
 * <pre>
 *   windows 0 to 199      every second one has a guest that changed: decode all, plan
 *   all others            only rings have moved: patch them in the state and in the start
 *   window 1000           the end
 * </pre>
 *
 * <p>Bounded in windows and in time, making the copies included. It ends at once when the guest is
 * about to stop. Without presetup every window sends everything, as the real one will.
 */
final class Rehearsal {
  private static final Logger log = LoggerFactory.getLogger(Rehearsal.class);

  /**
   * Up to this window, every second one has a guest that changed. A hundred of them load all code
   * that this takes, and the first compiler has compiled what runs for each ring and message. They
   * alternate with the others, because a busy host may have time for a few windows only.
   */
  private static final int IN_TURN = 200;

  /**
   * The first compiler compiles what a window does once after 200 calls (Tier3InvocationThreshold).
   * Meanwhile the second one compiles what runs for each ring and message. The other windows give
   * both time to finish.
   */
  private static final int WINDOWS = 1000;

  private static final Duration BUDGET = Duration.ofSeconds(1);

  /**
   * No device is added when less time than this is left. One device that is rehearsed is better
   * than two for which no time is left.
   */
  private static final Duration FOR_WINDOWS = BUDGET.dividedBy(2);

  /** More devices would only run the same code more often. */
  private static final int MOST_DEVICES = 4;

  private Rehearsal() {}

  /** A copy of a device, its early state, and the early record as a final one. */
  private record Copy(RehearsalDevice device, KnownEarly early, DeviceRecord last) {
    VhostNet net() {
      return device.net();
    }

    MigrationMessage changed() {
      return new MigrationMessage.Final(last);
    }

    MigrationMessage moved() {
      MovedRings rings = MovedRings.between(early.state(), early.state());
      return rings == null
          ? changed()
          : new MigrationMessage.Moved(last.device(), early.generation(), early.checksum(), rings);
    }
  }

  /** The link: the messages of a source whose guest has stopped, again and again. */
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
      throw new IllegalStateException("a rehearsal sends nothing over the link");
    }

    @Override
    public void close() {
      // There is nothing to close.
    }
  }

  /** Whether a rehearsal made all of its windows. */
  static boolean isWhole(RehearsalReport report) {
    return report.windows() >= WINDOWS;
  }

  /**
   * Rehearses all windows, or as many as there is time for.
   *
   * @param noMoreTime whether the guest is about to stop
   */
  static RehearsalReport run(
      PresetupMode mode, List<ReceivedRecord> records, BooleanSupplier noMoreTime) {
    long from = System.nanoTime();
    Deadline deadline = Deadline.after(BUDGET);
    int windows = 0;
    List<Copy> copies = new ArrayList<>();
    try {
      BooleanSupplier over = () -> deadline.expired() || noMoreTime.getAsBoolean();
      for (ReceivedRecord early : records) {
        boolean enough = deadline.remainingNanos() < FOR_WINDOWS.toNanos();
        if (copies.size() == MOST_DEVICES || over.getAsBoolean() || (enough && !copies.isEmpty())) {
          break;
        }
        try {
          copies.add(copy(mode, early, deadline, over));
        } catch (VhostException e) {
          log.debug("{}: not rehearsed: {}", early.net().name(), e.getMessage());
          break;
        }
      }
      MessageStream whole = finalMessages(copies, Copy::changed);
      MessageStream moved = finalMessages(copies, Copy::moved);
      while (windows < WINDOWS && !copies.isEmpty() && !over.getAsBoolean()) {
        boolean changed = windows < IN_TURN && windows % 2 == 1;
        copies.forEach(copy -> copy.device().rewind(changed));
        window(copies, changed ? whole : moved);
        windows++;
      }
    } catch (VhostException e) {
      log.debug("the rehearsal ended early: {}", e.getMessage());
    } finally {
      copies.forEach(a -> a.device().close());
    }
    log.debug("rehearsed {} windows", windows);
    return new RehearsalReport(windows, System.nanoTime() - from);
  }

  /**
   * Makes the copy of a device, presets it, and prepares its start.
   *
   * @throws VhostException if there is no more time, or the copy could not be preset
   */
  private static Copy copy(
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
      return new Copy(
          device,
          KnownEarly.of(record, state),
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

  private static MessageStream finalMessages(
      List<Copy> copies, Function<Copy, MigrationMessage> last) {
    MessageBody all = MessageBody.toWrite();
    copies.forEach(copy -> last.apply(copy).encode(all));
    new MigrationMessage.Commit().encode(all);
    return new MessageStream(
        new Replay(all.bytes().flip()), MessageTable.End.SOURCE, MigrationOptions.defaults());
  }

  private static void window(List<Copy> copies, MessageStream stream) {
    List<VhostNet> nets = copies.stream().map(Copy::net).toList();
    PhaseClock clock = new PhaseClock("rehearsal"); // nothing of it is recorded
    try (var window = new DestinationWindow(nets, StartOrder.PLANNED, clock)) {
      window.open();
      clock.enter(Phase.HAND_OVER);
      for (Copy copy : copies) {
        switch (stream.receive(Phase.STOP)) {
          case MigrationMessage.Final(DeviceRecord last) ->
              window.take(copy.net(), new ReceivedRecord(copy.net(), last).decoded());
          case MigrationMessage.Moved moved -> window.take(copy.net(), moved.state(copy.early()));
          default -> throw new IllegalStateException("a rehearsal has final records only");
        }
      }
      stream.receive(Phase.STOP); // COMMIT
      window.requireAllFinals();
      window.start(List.of());
    }
  }
}
