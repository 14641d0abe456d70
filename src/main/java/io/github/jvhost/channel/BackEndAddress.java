package io.github.jvhost.channel;

import io.github.jvhost.sys.OwnedDescriptor;
import java.nio.file.Path;

/**
 * How a device gets to its back end.
 *
 * <p>Immutable, and so thread-safe, but for what {@link Listening} and {@link Connected} refer to.
 */
public sealed interface BackEndAddress {
  /**
   * The back end listens; we connect, as often as need be.
   *
   * @param path of its socket, at most 107 bytes
   */
  record Socket(Path path) implements BackEndAddress {
    @Override
    public String toString() {
      return path.toString();
    }
  }

  /**
   * We listen; the back end connects, as often as need be.
   *
   * @param listener stays its owner's, who closes it when no back end is wanted any more
   */
  record Listening(FrontEndListener listener) implements BackEndAddress {
    @Override
    public String toString() {
      return "whoever connects to " + listener.path();
    }
  }

  /**
   * A connection that somebody else made. It can be used once: when it is lost there is no way
   * back.
   *
   * @param socket of the AF_UNIX family, connected; taken over when it is used
   */
  record Connected(OwnedDescriptor socket) implements BackEndAddress {
    @Override
    public String toString() {
      return "the given " + socket.identity();
    }
  }
}
