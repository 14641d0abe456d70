package io.github.jvhost.mediate.keep;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Frames over a connected socket, each whole or not at all. After a failure the two sides may
 * disagree on where a frame begins, so the owner closes it. One thread at a time.
 */
final class FrameStream implements AutoCloseable {
  private final SocketStream socket;
  private final String name;
  private final String peer;

  /** Room for the longest frame. */
  private final MemorySegment buffer =
      Arena.ofAuto().allocate(Frame.HEADER_BYTES + Frame.LONGEST_TEXT);

  /**
   * Takes over a connected socket.
   *
   * @param name of this side, for messages
   * @param peer who is at the other end, for messages
   */
  FrameStream(SocketStream socket, String name, String peer) {
    this.socket = socket;
    this.name = name;
    this.peer = peer;
  }

  /**
   * A frame that came.
   *
   * @param descriptor there if and only if the frame carries one; the receiver owns it
   */
  record Received(Frame frame, @Nullable OwnedDescriptor descriptor) {}

  /** {@return the socket's number, for a poll; -1 once it is closed} */
  int number() {
    return socket.number();
  }

  /**
   * Sends a frame.
   *
   * @param descriptors one if the frame carries one, else none; their owner keeps them
   * @param deadline for the peer to make room
   * @throws VhostException if the peer is gone or makes no room
   */
  void send(Frame frame, List<OwnedDescriptor> descriptors, Deadline deadline) {
    byte[] bytes = frame.encoded();
    MemorySegment.copy(bytes, 0, buffer, ValueLayout.JAVA_BYTE, 0, bytes.length);
    List<OwnedDescriptor> left = descriptors;
    for (int done = 0; done < bytes.length; ) {
      int count = socket.write(buffer, done, bytes.length - done, left);
      if (count == 0) {
        await(Poller.OUT, deadline, "reads nothing");
      } else {
        left = List.of();
        done += count;
      }
    }
  }

  /**
   * Receives a frame.
   *
   * @param deadline for the whole of it
   * @return the frame; null at the end of the stream, where no frame has begun
   * @throws VhostException if the peer is silent, sends something else, or is gone amid a frame; no
   *     descriptor is kept then
   */
  @Nullable Received receive(Deadline deadline) {
    List<OwnedDescriptor> arrived = new ArrayList<>();
    boolean taken = false;
    try {
      byte[] first = receive(Frame.HEADER_BYTES, arrived, deadline);
      if (first.length == 0) {
        return null;
      }
      Frame.Header header = Frame.Header.decode(whole(first, Frame.HEADER_BYTES));
      byte[] text = whole(receive(header.length(), arrived, deadline), header.length());
      Frame frame = header.with(text);
      if (arrived.size() != (frame.carriesDescriptor() ? 1 : 0)) {
        throw new VhostException(
            "%s: the %s sent a %s with %d descriptors"
                .formatted(name, peer, frame.getClass().getSimpleName(), arrived.size()),
            Recovery.GIVE_UP);
      }
      taken = true;
      return new Received(frame, arrived.isEmpty() ? null : arrived.getFirst());
    } finally {
      if (!taken) {
        arrived.forEach(OwnedDescriptor::close);
      }
    }
  }

  /** Receives so many bytes, and fewer only at the end of the stream. */
  private byte[] receive(int length, List<OwnedDescriptor> arrived, Deadline deadline) {
    int done = 0;
    while (done < length) {
      int count = socket.read(buffer, done, length - done, arrived);
      if (count < 0) {
        break;
      }
      if (count == 0) {
        await(Poller.IN, deadline, "says nothing");
      }
      done += count;
    }
    return buffer.asSlice(0, done).toArray(ValueLayout.JAVA_BYTE);
  }

  private byte[] whole(byte[] bytes, int length) {
    if (bytes.length < length) {
      throw new VhostException(
          name + ": the " + peer + " hung up amid a frame", Recovery.RECONNECT);
    }
    return bytes;
  }

  private void await(int event, Deadline deadline, String silent) {
    if (socket.await(event, deadline.remainingNanos()) == 0 && deadline.expired()) {
      throw new DeadlineException("%s: the %s %s for %s".formatted(name, peer, silent, deadline));
    }
  }

  /** Closes the socket. A second call does nothing. */
  @Override
  public void close() {
    socket.close();
  }
}
