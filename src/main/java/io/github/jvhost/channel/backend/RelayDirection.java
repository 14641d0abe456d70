package io.github.jvhost.channel.backend;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;

import io.github.jvhost.protocol.Header;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.SystemCallException;
import io.github.jvhost.sys.io.SocketIo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * One direction of a relay. It reads one whole message, then sends the whole message, with all
 * descriptors at its first byte.
 *
 * <pre>
 *   read: 12 bytes      read: "size" bytes       send: all of it, until it is taken
 *   +--------+ fd fd    +---------------+        +--------+---------------+ fd fd
 *   | header |          | payload       |        | header | payload       |
 *   +--------+          +---------------+        +--------+---------------+
 * </pre>
 *
 * <p>It never reads beyond the end of a message. The kernel delivers descriptors with the bytes
 * that they were sent with, so they cannot get to another message. While the other side reads
 * nothing, this reads nothing either, so the sender sees the same back pressure as without a relay.
 *
 * <p>A header that announces more than {@link Header#MAX_PAYLOAD} bytes is invalid. After it the
 * borders of messages are not known, and bytes are passed on as they come. One thread at a time.
 */
final class RelayDirection {
  /** The result of {@link #move}. */
  enum State {
    /** It waits for something to read. */
    READING,
    /** It waits for room on the other side. */
    WRITING,
    /** One of the two sides is gone. */
    OVER
  }

  /** Is called for each message; may replace descriptors before they are sent. */
  interface Checkpoint {
    /**
     * A message is about to be sent.
     *
     * @param request the id in its header; -1 for raw bytes
     * @param flags of the header
     */
    void before(int request, int flags, List<OwnedDescriptor> descriptors);

    /** The message was sent. */
    void after(long arrived, long passed, boolean raw, byte[] bytes, int descriptors);
  }

  private static final int SIZE_AT = 8;
  private static final int FLAGS_AT = 4;
  private static final int RAW_ID = -1;
  private static final int EPIPE = 32;
  private static final int ECONNRESET = 104;

  /** Most messages of one call, so that the other directions are not kept waiting. */
  private static final int TURN = 64;

  private final RelayEnd from;
  private final RelayEnd to;
  private final Checkpoint checkpoint;
  // The garbage collector frees it: closing a shared arena stops all threads for a moment.
  private final MemorySegment bytes =
      Arena.ofAuto().allocate(Header.SIZE + Header.MAX_PAYLOAD, Long.BYTES);
  private final List<OwnedDescriptor> descriptors = new ArrayList<>();
  private int have;
  private int need = Header.SIZE;
  private int sent;
  private long arrived;
  private boolean sending;
  private boolean raw;
  private boolean ended;
  private boolean over;
  private String why = "";

  RelayDirection(RelayEnd from, RelayEnd to, Checkpoint checkpoint) {
    this.from = from;
    this.to = to;
    this.checkpoint = checkpoint;
  }

  /** Where it reads. */
  RelayEnd from() {
    return from;
  }

  /** Where it writes. */
  RelayEnd to() {
    return to;
  }

  /** Why it is over: "the back end closed the connection". */
  String why() {
    return why;
  }

  /** Moves what can be moved without waiting. */
  State move() {
    for (int moved = 0; !over && moved < TURN; ) {
      if (!sending && !read()) {
        return over ? State.OVER : State.READING;
      }
      if (sending) {
        if (!write()) {
          return over ? State.OVER : State.WRITING;
        }
        moved++;
      }
    }
    return over ? State.OVER : State.READING;
  }

  /** Reads once; returns false when nothing is there, or when the direction is over. */
  private boolean read() {
    int count;
    try {
      count = from.receive(bytes, have, need - have, descriptors);
    } catch (SystemCallException e) {
      return over(String.valueOf(e.getMessage()));
    }
    if (count == SocketIo.WOULD_BLOCK) {
      return false;
    }
    if (descriptors.size() > SocketIo.MOST_DESCRIPTORS) {
      return over(from.name() + " sent " + descriptors.size() + " descriptors with one message");
    }
    if (count == 0) {
      ended = true;
      why = from.name() + " closed the connection";
      if (have == 0) {
        return over(why);
      }
      // The rest of this message will not come. The other side gets the bytes that came.
      raw = true;
      depart();
      return true;
    }
    have += count;
    if (raw || (have == need && complete())) {
      depart();
    }
    return true;
  }

  /** Whether the message is complete. Reads the size of the payload from a complete header. */
  private boolean complete() {
    if (need > Header.SIZE) {
      return true;
    }
    int size = bytes.get(JAVA_INT_UNALIGNED, SIZE_AT);
    if (size < 0 || size > Header.MAX_PAYLOAD) {
      raw = true;
      return true;
    }
    need = Header.SIZE + size;
    return size == 0;
  }

  private void depart() {
    arrived = System.nanoTime();
    sending = true;
    sent = 0;
    boolean message = !raw;
    checkpoint.before(
        message ? bytes.get(JAVA_INT_UNALIGNED, 0) : RAW_ID,
        message ? bytes.get(JAVA_INT_UNALIGNED, FLAGS_AT) : 0,
        descriptors);
  }

  /** Writes the message; returns false when there is no room, or when the direction is over. */
  private boolean write() {
    while (sent < have) {
      int count;
      try {
        count = to.send(bytes, sent, have - sent, sent == 0 ? descriptors : List.of());
      } catch (SystemCallException e) {
        return over(
            e.errno() == EPIPE || e.errno() == ECONNRESET
                ? to.name() + " closed the connection"
                : String.valueOf(e.getMessage()));
      }
      if (count == SocketIo.WOULD_BLOCK) {
        return false;
      }
      sent += count;
    }
    long passed = System.nanoTime();
    int along = descriptors.size();
    closeDescriptors();
    checkpoint.after(arrived, passed, raw, bytes.asSlice(0, have).toArray(JAVA_BYTE), along);
    sending = false;
    have = 0;
    need = raw ? (int) bytes.byteSize() : Header.SIZE;
    if (ended) {
      return over(why);
    }
    return true;
  }

  private boolean over(String reason) {
    over = true;
    why = reason;
    closeDescriptors();
    return false;
  }

  private void closeDescriptors() {
    if (!descriptors.isEmpty()) {
      descriptors.forEach(OwnedDescriptor::close);
      descriptors.clear();
    }
  }

  /** Closes descriptors that were not sent. The sockets have other owners. */
  void abandon() {
    closeDescriptors();
    over = true;
  }
}
