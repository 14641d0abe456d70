package io.github.jvhost.mediate.peer;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.socket.Connector;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * Where the other mediator is: the value of {@code --peer}.
 *
 * <pre>
 *   PATH                     connect to an AF_UNIX socket
 *   tcp:127.0.0.1:PORT       connect to a port of this host
 *   tcp:[::1]:PORT           the same
 *   listen:ONE-OF-THESE      listen there instead; port 0: any free one
 * </pre>
 *
 * <p>Only this host can be reached. Nothing on the link is encrypted, and nobody proves who he is,
 * so another host is reached through ssh, which does both.
 *
 * @param listens whether this side listens
 * @param place where
 */
public record PeerAddress(boolean listens, Place place) {
  private static final String LISTEN = "listen:";
  private static final String TCP = "tcp:";
  private static final String V4 = "127.0.0.1";
  private static final String V6 = "[::1]";
  private static final int MOST_PORT = 65535;

  /** The two kinds of sockets. */
  public sealed interface Place {}

  /**
   * An AF_UNIX socket. Only its owner can connect to it.
   *
   * @param path of the socket, at most 107 bytes
   */
  public record Local(Path path) implements Place {
    @Override
    public String toString() {
      return path.toString();
    }
  }

  /**
   * A port of the loopback interface. Every user of this host can connect to it.
   *
   * @param v6 whether it is ::1 and not 127.0.0.1
   * @param port 0 to 65535; 0 only to listen
   */
  public record Port(boolean v6, int port) implements Place {
    @Override
    public String toString() {
      return TCP + (v6 ? V6 : V4) + ":" + port;
    }
  }

  /**
   * Reads an address.
   *
   * @param text as above
   * @return the address
   * @throws VhostException (GIVE_UP) if it is none of these; the message says why
   */
  public static PeerAddress parse(String text) {
    boolean listens = text.startsWith(LISTEN);
    String place = listens ? text.substring(LISTEN.length()) : text;
    String doing = "peer " + text + ": ";
    if (place.startsWith(TCP)) {
      return new PeerAddress(listens, port(place.substring(TCP.length()), listens, doing));
    }
    if (place.isEmpty()) {
      throw refused(doing + "a path or tcp:127.0.0.1:PORT belongs here");
    }
    try {
      Path path = Path.of(place);
      Connector.requireThatItFits(path, doing);
      return new PeerAddress(listens, new Local(path));
    } catch (InvalidPathException e) {
      throw refused(doing + "this is no path: " + e.getReason());
    }
  }

  private static Port port(String text, boolean listens, String doing) {
    int colon = text.lastIndexOf(':');
    String host = colon < 0 ? text : text.substring(0, colon);
    if (!host.equals(V4) && !host.equals(V6)) {
      throw refused(
          doing
              + "only 127.0.0.1 and [::1] are allowed, because nothing on the link is encrypted;"
              + " forward the port with ssh -L or -R to reach another host");
    }
    String digits = colon < 0 ? "" : text.substring(colon + 1);
    int number = digits.matches("[0-9]{1,5}") ? Integer.parseInt(digits) : -1;
    if (number < (listens ? 0 : 1) || number > MOST_PORT) {
      throw refused(doing + "the port is a number from 1 to " + MOST_PORT);
    }
    return new Port(host.equals(V6), number);
  }

  private static VhostException refused(String message) {
    return new VhostException(message, Recovery.GIVE_UP);
  }

  /** {@return the address for a socket} */
  SocketAddress socketAddress() {
    return switch (place) {
      case Local local -> UnixDomainSocketAddress.of(local.path());
      case Port port -> new InetSocketAddress(loopback(port.v6()), port.port());
    };
  }

  private static InetAddress loopback(boolean v6) {
    byte[] bytes = v6 ? new byte[16] : new byte[] {127, 0, 0, 1};
    bytes[bytes.length - 1] = 1;
    try {
      return InetAddress.getByAddress(bytes);
    } catch (UnknownHostException e) {
      throw new AssertionError("4 and 16 bytes are an address", e);
    }
  }

  @Override
  public String toString() {
    return (listens ? LISTEN : "") + place;
  }
}
