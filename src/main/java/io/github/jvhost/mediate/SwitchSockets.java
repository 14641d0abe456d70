package io.github.jvhost.mediate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.Connector;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.FrontEndListener;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Where switches are, as operators write it, and the sockets on which the mediator listens for
 * switches that connect.
 *
 * <pre>
 *   PATH           the switch listens, the mediator connects
 *   listen:PATH    the mediator listens, the switch connects
 * </pre>
 *
 * <p>A socket stays open until all are closed, because a NIC may come back to it. It belongs to one
 * NIC. Thread-safe.
 */
public final class SwitchSockets implements AutoCloseable {
  private static final String LISTEN = "listen:";
  private static final int MOST = 64;

  private record Use(String nic, FrontEndListener listener) {}

  private final Map<Path, Use> listeners = new LinkedHashMap<>();

  /** Has none yet. */
  public SwitchSockets() {}

  /**
   * Reads an address, and listens there if it says so.
   *
   * @param nic whose switch it is
   * @param text as above; a path has at most 107 bytes
   * @return the address; the socket that it may name stays this object's
   * @throws VhostException (GIVE_UP) if it is no address, or listening is not possible
   */
  public synchronized BackEndAddress address(String nic, String text) {
    if (!text.startsWith(LISTEN)) {
      return new BackEndAddress.Socket(path(nic, text));
    }
    Path path = path(nic, text.substring(LISTEN.length()));
    Use use = listeners.get(path);
    if (use == null) {
      if (listeners.size() >= MOST) {
        throw refused(nic, text, "the mediator listens for " + MOST + " switches already");
      }
      use = new Use(nic, FrontEndListener.listen(path));
      listeners.put(path, use);
    }
    if (!use.nic().equals(nic)) {
      throw refused(nic, text, "that socket is for the switch of " + use.nic());
    }
    return new BackEndAddress.Listening(use.listener());
  }

  /** {@return the address as operators write it; empty for one that they cannot write} */
  static String text(BackEndAddress address) {
    return switch (address) {
      case BackEndAddress.Socket(Path path) -> path.toString();
      case BackEndAddress.Listening(FrontEndListener listener) -> LISTEN + listener.path();
      case BackEndAddress.Connected _,
          BackEndAddress.Tap _,
          BackEndAddress.TapQueues _,
          BackEndAddress.Vdpa _ ->
          "";
    };
  }

  private static Path path(String nic, String text) {
    if (text.isEmpty()) {
      throw refused(nic, text, "the path is missing");
    }
    try {
      Path path = Path.of(text);
      Connector.requireThatItFits(path, "%s: switch %s: ".formatted(nic, text));
      return path;
    } catch (InvalidPathException e) {
      throw refused(nic, text, "this is no path: " + e.getReason());
    }
  }

  private static VhostException refused(String nic, String text, String why) {
    return new VhostException("%s: switch %s: %s".formatted(nic, text, why), Recovery.GIVE_UP);
  }

  /** Stops listening for switches. */
  @Override
  public synchronized void close() {
    listeners.values().forEach(use -> use.listener().close());
    listeners.clear();
  }
}
