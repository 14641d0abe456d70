package io.github.jvhost.vhost;

import io.github.jvhost.sys.OwnedDescriptor;
import java.nio.file.Path;

/**
 * How a device reaches its back end.
 *
 * <p>Immutable, and so thread-safe, except for what {@link Listening} and {@link Connected} refer
 * to.
 */
public sealed interface BackEndAddress {
  /**
   * The back end listens. The front end connects, as often as needed.
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
   * The front end listens. The back end connects, as often as needed.
   *
   * @param listener its owner keeps it, and closes it when no back end is wanted any more
   */
  record Listening(FrontEndListener listener) implements BackEndAddress {
    @Override
    public String toString() {
      return "whoever connects to " + listener.path();
    }
  }

  /**
   * A connection that somebody else made. It can be used once. When it is lost it cannot be made
   * again.
   *
   * @param socket of the AF_UNIX family, connected; the channel owns it from its use on
   */
  record Connected(OwnedDescriptor socket) implements BackEndAddress {
    @Override
    public String toString() {
      return "the given " + socket.identity();
    }
  }
}
