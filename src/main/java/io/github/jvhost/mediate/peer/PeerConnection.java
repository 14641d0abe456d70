package io.github.jvhost.mediate.peer;

import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Lines out and lines in on one connection. It never waits. It keeps at most one line that is to be
 * sent, and as many bytes of what has come as one line may have, so that a peer cannot make it
 * grow. One thread.
 */
final class PeerConnection {
  private final SocketChannel socket;
  private final LinkLimits limits;
  private final Deadline beat;
  private final Deadline heard;
  private final Deadline taken;
  private final Deadline window;

  /**
   * <pre>
   *   0            from                 position
   *   | taken      | lines, half a line | free
   * </pre>
   */
  private final ByteBuffer in = ByteBuffer.allocate(Hint.MOST_BYTES);

  private int from;
  private ByteBuffer out = ByteBuffer.wrap(HintJson.alive());
  private boolean moreToSend = true;
  private boolean greeted;
  private int linesInWindow;
  private int bytesInWindow;

  /**
   * Makes the object for a connected socket that does not block.
   *
   * @param socket borrowed
   */
  PeerConnection(SocketChannel socket, LinkLimits limits) {
    this.socket = socket;
    this.limits = limits;
    this.beat = Deadline.in(limits.beatNanos(), TimeUnit.NANOSECONDS);
    this.heard = Deadline.in(limits.silenceNanos(), TimeUnit.NANOSECONDS);
    this.taken = Deadline.in(limits.silenceNanos(), TimeUnit.NANOSECONDS);
    this.window = Deadline.in(limits.windowNanos(), TimeUnit.NANOSECONDS);
  }

  /**
   * Sends at most one line: the rest of the last one, a sign of life when one is due, or a hint.
   *
   * @param hints the next hint, or null if there is none
   * @throws PeerLostException if the peer has read nothing for too long
   */
  void send(Supplier<@Nullable Hint> hints) throws IOException, PeerLostException {
    if (!out.hasRemaining()) {
      byte[] line = nextLine(hints);
      moreToSend = line != null;
      if (line == null) {
        return;
      }
      out = ByteBuffer.wrap(line);
      taken.restart();
    }
    if (socket.write(out) > 0) {
      taken.restart();
    } else if (taken.expired()) {
      throw new PeerLostException("the peer read nothing for " + taken);
    }
  }

  private byte @Nullable [] nextLine(Supplier<@Nullable Hint> hints) {
    if (beat.expired()) {
      beat.restart();
      return HintJson.alive();
    }
    Hint hint = hints.get();
    return hint == null ? null : hint.encoded();
  }

  /** {@return the events that go on with this connection} */
  int interest() {
    return SelectionKey.OP_READ | (moreToSend ? SelectionKey.OP_WRITE : 0);
  }

  /** {@return how long nothing has to be done unless such an event comes} */
  long remainingNanos() {
    Deadline own = out.hasRemaining() ? taken : beat;
    return Math.min(own.remainingNanos(), heard.remainingNanos());
  }

  /** {@return whether the peer has sent a line, and so speaks this protocol} */
  boolean greeted() {
    return greeted;
  }

  /**
   * Reads once what is there. {@link #next} has to have returned nothing before.
   *
   * @throws PeerLostException if the peer has closed, says nothing, or says too much
   */
  void receive() throws IOException, PeerLostException {
    in.limit(in.position()).position(from).compact();
    from = 0;
    if (!in.hasRemaining()) {
      throw new PeerLostException(
          "the peer sent a line of more than " + Hint.MOST_BYTES + " bytes");
    }
    int count = socket.read(in);
    if (count < 0) {
      throw new PeerLostException("the peer closed the connection");
    }
    if (count == 0 && heard.expired()) {
      throw new PeerLostException("the peer sent no whole line for " + heard);
    }
    requireSlow(count, 0);
  }

  /**
   * {@return the next hint that has come; empty if more has to be received first}
   *
   * @throws VhostException if the peer sent something else than hints and signs of life
   * @throws PeerLostException if it sent too many
   */
  Optional<Hint> next() throws PeerLostException {
    for (int at = from; at < in.position(); at++) {
      if (in.get(at) == '\n') {
        byte[] line = Arrays.copyOfRange(in.array(), from, at);
        from = at + 1;
        requireSlow(0, 1);
        Optional<Hint> hint = HintJson.parse(line);
        heard.restart();
        greeted = true;
        if (hint.isPresent()) {
          return hint;
        }
      }
    }
    return Optional.empty();
  }

  private void requireSlow(int bytes, int lines) throws PeerLostException {
    if (window.expired()) {
      window.restart();
      bytesInWindow = 0;
      linesInWindow = 0;
    }
    bytesInWindow += bytes;
    linesInWindow += lines;
    if (bytesInWindow > limits.bytesInWindow() || linesInWindow > limits.linesInWindow()) {
      throw new PeerLostException(
          "the peer sent more than %d lines or %d bytes within %s"
              .formatted(limits.linesInWindow(), limits.bytesInWindow(), window));
    }
  }
}
