package io.github.jvhost.mediate;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.SocketStream;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Lines of UTF-8 over a connected socket, each ended by a line feed. After a failure it is of no
 * use any more. One thread at a time.
 */
final class LineStream implements AutoCloseable {
  private static final int CHUNK = 4096;
  private static final int NOBODY = -1;

  private final SocketStream socket;
  private final String name;
  private final int longest;
  private final int interrupter;
  private final MemorySegment buffer = Arena.ofAuto().allocate(CHUNK);
  private byte[] read = new byte[0];
  private int from;

  /**
   * Takes over a connected socket.
   *
   * @param name of the peer, for messages
   * @param longest line that is received, in bytes with its line feed
   * @param interrupter the number of a descriptor; once it is readable, every wait fails; -1: none
   */
  LineStream(SocketStream socket, String name, int longest, int interrupter) {
    this.socket = socket;
    this.name = name;
    this.longest = longest;
    this.interrupter = interrupter;
  }

  LineStream(SocketStream socket, String name, int longest) {
    this(socket, name, longest, NOBODY);
  }

  /**
   * {@return the next line, without its line feed; null at the end of the stream, also amid a line}
   *
   * @param deadline for the whole line
   * @throws VhostException if no line comes in time, or something that is none
   */
  @Nullable String receive(Deadline deadline) {
    var line = new ByteArrayOutputStream();
    while (true) {
      for (int at = from; at < read.length; at++) {
        if (read[at] == '\n') {
          line.write(read, from, at - from);
          from = at + 1;
          requireFits(line.size() + 1);
          return text(line.toByteArray());
        }
      }
      line.write(read, from, read.length - from);
      from = read.length;
      requireFits(line.size() + 1);
      if (!receiveMore(deadline)) {
        return null;
      }
    }
  }

  private void requireFits(int size) {
    if (size > longest) {
      throw new VhostException(
          "%s sent a line of more than %d bytes".formatted(name, longest), Recovery.GIVE_UP);
    }
  }

  private boolean receiveMore(Deadline deadline) {
    while (true) {
      List<OwnedDescriptor> arrived = new ArrayList<>();
      int count = socket.read(buffer, 0, CHUNK, arrived);
      arrived.forEach(OwnedDescriptor::close);
      if (!arrived.isEmpty()) {
        throw new VhostException(
            name + " sent descriptors, and none belong here", Recovery.GIVE_UP);
      }
      if (count < 0) {
        return false;
      }
      if (count > 0) {
        read = buffer.asSlice(0, count).toArray(ValueLayout.JAVA_BYTE);
        from = 0;
        return true;
      }
      await(Poller.IN, deadline, "sent no whole line");
    }
  }

  private String text(byte[] line) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(line)).toString();
    } catch (CharacterCodingException e) {
      throw new VhostException(name + " sent a line that is not UTF-8", Recovery.GIVE_UP, e);
    }
  }

  /**
   * Sends a line.
   *
   * @param line with its line feed
   * @param deadline for the peer to read it
   * @throws VhostException if the peer has gone or does not read
   */
  void send(byte[] line, Deadline deadline) {
    for (int done = 0; done < line.length; ) {
      int length = Math.min(CHUNK, line.length - done);
      MemorySegment.copy(line, done, buffer, ValueLayout.JAVA_BYTE, 0, length);
      int count = socket.write(buffer, 0, length, List.of());
      if (count == 0) {
        await(Poller.OUT, deadline, "read nothing");
      }
      done += count;
    }
  }

  private void await(int event, Deadline deadline, String silent) {
    int ready = socket.await(event, deadline.remainingNanos(), interrupter);
    if (socket.otherReady()) {
      throw new VhostException(name + ": the connection is closed here", Recovery.GIVE_UP);
    }
    if (ready == 0 && deadline.expired()) {
      throw new DeadlineException("%s %s within %s".formatted(name, silent, deadline));
    }
  }

  /** Closes the socket. A second call does nothing. */
  @Override
  public void close() {
    socket.close();
  }
}
