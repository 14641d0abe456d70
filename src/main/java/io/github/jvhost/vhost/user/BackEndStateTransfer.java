package io.github.jvhost.vhost.user;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.DeviceStateTransfer;
import io.github.jvhost.protocol.DeviceStateTransfer.Direction;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Pipe;
import io.github.jvhost.sys.io.PipeReader;
import io.github.jvhost.sys.io.PipeWriter;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Moves a back end's own state (DEVICE_STATE), which means nothing to the front end: out of it on
 * the source of a migration, into it on the destination.
 *
 * <pre>
 *   front end                                   back end
 *      | SET_DEVICE_STATE_FD (one end of a pipe)   |
 *      |------------------------------------------&gt;|
 *      |&lt;--------------- 0x100, or a descriptor ----|    which then takes the pipe's place
 *      |                                           |
 *      |&lt;==== save: bytes, until it closes ========|
 *      |===== load: bytes, until we close ========&gt;|
 *      |                                           |
 *      | CHECK_DEVICE_STATE                        |
 *      |------------------------------------------&gt;|
 *      |&lt;------------------------------- 0 --------|
 * </pre>
 *
 * <p>For both directions the caller has to stop all rings first. After a load the device is started
 * from the beginning, like any other.
 *
 * <p>Bytes pass through a buffer of 64 KiB. Their number and the time are limited. If a load fails,
 * the back end holds part of a state, so connect to it again.
 *
 * <p>Immutable; only the channel's thread may use it.
 */
final class BackEndStateTransfer {
  private static final int BUFFER = 64 * 1024;

  private final DescriptorLedger ledger;
  private final long limit;

  /**
   * Transfers of at most this many bytes.
   *
   * @param ledger where the pipes are recorded
   * @param limit in bytes, 0 or more
   */
  BackEndStateTransfer(DescriptorLedger ledger, long limit) {
    if (limit < 0) {
      throw new IllegalArgumentException("a limit of " + limit + " bytes");
    }
    this.ledger = ledger;
    this.limit = limit;
  }

  /**
   * Reads the state out of a back end.
   *
   * @param frontEnd whose rings are all stopped
   * @param into gets the bytes as they come; stays open. It should not block for long, because the
   *     back end is not served meanwhile
   * @param deadline for all of it
   * @return how many bytes there were
   * @throws BackEndRefusedException if the back end refuses, or answers at the end that it failed
   * @throws DeadlineException if it has not closed its end in time
   * @throws VhostException (GIVE_UP) if there are more bytes than the limit, or {@code into} fails;
   *     (RECONNECT) if the connection ends meanwhile
   */
  long save(VhostUserFrontEnd frontEnd, WritableByteChannel into, Deadline deadline) {
    VhostUserChannel channel = frontEnd.channel();
    long count;
    try (PipeReader reader = openForSave(channel, deadline);
        BackEndStatePipe pipe = new BackEndStatePipe(channel, deadline)) {
      count = pump(channel.name(), pipe.reading(reader), into, deadline);
    }
    within(channel, deadline).checkDeviceState();
    return count;
  }

  /**
   * Writes a state into a back end.
   *
   * @param frontEnd whose rings are all stopped
   * @param from gives the bytes, up to its end; stays open; should not block for long
   * @param deadline for all of it
   * @return how many bytes there were
   * @throws BackEndRefusedException if the back end refuses, stops reading, or refuses what it has
   *     read
   * @throws DeadlineException if it does not read in time
   * @throws VhostException (GIVE_UP) if there are more bytes than the limit, or {@code from} fails;
   *     (RECONNECT) if the connection ends meanwhile
   */
  long load(VhostUserFrontEnd frontEnd, ReadableByteChannel from, Deadline deadline) {
    VhostUserChannel channel = frontEnd.channel();
    long count;
    try (PipeWriter writer = openForLoad(channel, deadline);
        BackEndStatePipe pipe = new BackEndStatePipe(channel, deadline)) {
      count = pump(channel.name(), from, pipe.writing(writer), deadline);
    }
    within(channel, deadline).checkDeviceState();
    return count;
  }

  private PipeReader openForSave(VhostUserChannel channel, Deadline deadline) {
    try (Pipe pipe = Pipe.open(ledger, "state of " + channel.name())) {
      OwnedDescriptor replacement = begin(channel, Direction.SAVE, pipe.writeEnd(), deadline);
      return PipeReader.adopt(replacement == null ? pipe.readEnd().duplicate() : replacement);
    }
  }

  private PipeWriter openForLoad(VhostUserChannel channel, Deadline deadline) {
    try (Pipe pipe = Pipe.open(ledger, "state of " + channel.name())) {
      OwnedDescriptor replacement = begin(channel, Direction.LOAD, pipe.readEnd(), deadline);
      return PipeWriter.adopt(replacement == null ? pipe.writeEnd().duplicate() : replacement);
    }
  }

  private static @Nullable OwnedDescriptor begin(
      VhostUserChannel channel, Direction direction, OwnedDescriptor theirs, Deadline deadline) {
    return within(channel, deadline)
        .setDeviceStateFd(new DeviceStateTransfer(direction), theirs)
        .orElse(null);
  }

  /** Requests that end with the transfer's own deadline. */
  private static VhostUserFrontEnd within(VhostUserChannel channel, Deadline deadline) {
    return new VhostUserFrontEnd(channel, Duration.ofNanos(deadline.remainingNanos()));
  }

  private long pump(
      String name, ReadableByteChannel from, WritableByteChannel into, Deadline deadline) {
    ByteBuffer buffer = ByteBuffer.allocate(BUFFER);
    long total = 0;
    try {
      while (from.read(buffer.clear()) >= 0) {
        total += buffer.flip().remaining();
        if (total > limit) {
          throw new VhostException(
              "%s: the back end's state has more than %d bytes".formatted(name, limit),
              Recovery.GIVE_UP);
        }
        do {
          requireTime(name, total, deadline);
          into.write(buffer);
        } while (buffer.hasRemaining());
      }
      return total;
    } catch (IOException e) {
      throw new VhostException(
          "%s: moving the back end's state, after %d bytes: %s"
              .formatted(name, total, e.getMessage()),
          Recovery.GIVE_UP,
          e);
    }
  }

  /**
   * Checks the deadline for the embedder's side, which may be slow; the pipe's side does it itself.
   */
  private static void requireTime(String name, long total, Deadline deadline) {
    if (deadline.expired()) {
      throw new DeadlineException(
          "%s: moving the back end's state: %d bytes, and not done by %s"
              .formatted(name, total, deadline));
    }
  }
}
