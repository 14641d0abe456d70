package io.github.jvhost.embedding;

import io.github.jvhost.Recovery;
import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.migration.MigrationException;
import io.github.jvhost.migration.MigrationLink;
import io.github.jvhost.migration.SocketLink;
import io.github.jvhost.sys.Deadline;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;

// guide: stream
/**
 * The VMM's own migration stream, in which jvhost's messages are one kind of frame among others.
 *
 * <pre>
 *   0      4        8               16
 *   | kind | length | guest address | length bytes ...
 * </pre>
 */
final class VmmStream implements MigrationLink {
  private static final int DEVICES = 1;
  private static final int RAM = 2;
  private static final int HEADER = 16;
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final MigrationLink wire;
  private final GuestMemory memory;
  private final ByteBuffer outgoing = ByteBuffer.allocate(HEADER);
  private final ByteBuffer incoming = ByteBuffer.allocate(HEADER);
  private int left; // of the frame that is being received

  VmmStream(SocketChannel channel, GuestMemory memory) {
    this.wire = SocketLink.over(channel); // deadlines are kept there
    this.memory = memory;
  }

  /** A page of the source's; it is in the destination's memory before what is sent after it. */
  void sendRam(long guestAddress, int length) {
    send(RAM, guestAddress, memory.slice(guestAddress, length).asByteBuffer(), patience());
  }

  @Override
  public void send(ByteBuffer bytes, Deadline deadline) {
    send(DEVICES, 0, bytes, deadline);
  }

  private void send(int kind, long guestAddress, ByteBuffer bytes, Deadline deadline) {
    outgoing.clear().putInt(kind).putInt(bytes.remaining()).putLong(guestAddress).flip();
    boolean sent = false;
    try {
      wire.send(outgoing, deadline);
      wire.send(bytes, deadline);
      sent = true;
    } finally {
      if (!sent) {
        wire.close(); // nobody can tell where the next frame begins
      }
    }
  }

  @Override
  public void receive(ByteBuffer into, Deadline deadline) {
    int end = into.limit();
    while (into.hasRemaining()) {
      while (left == 0) {
        nextFrame(deadline);
      }
      into.limit(into.position() + Math.min(left, into.remaining()));
      left -= into.remaining();
      wire.receive(into, deadline);
      into.limit(end);
    }
  }

  private void nextFrame(Deadline deadline) {
    wire.receive(incoming.clear(), deadline);
    int kind = incoming.flip().getInt();
    int length = incoming.getInt();
    long guestAddress = incoming.getLong();
    if (kind == RAM) {
      wire.receive(memory.slice(guestAddress, length).asByteBuffer(), deadline);
      deadline.restart(); // the other side is at work, and not silent
    } else if (kind == DEVICES && length > 0) {
      left = length;
    } else {
      throw new MigrationException("a frame of kind " + kind, Recovery.GIVE_UP, null);
    }
  }

  @Override
  public boolean awaitReadable(Deadline deadline) {
    return left > 0 || wire.awaitReadable(deadline);
  }

  @Override
  public void close() {
    wire.close();
  }

  private static Deadline patience() {
    return Deadline.after(PATIENCE);
  }
}
// guide: end
