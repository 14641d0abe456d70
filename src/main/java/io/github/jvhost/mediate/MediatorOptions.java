package io.github.jvhost.mediate;

import io.github.jvhost.mediate.peer.PeerAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a mediator does. Immutable.
 *
 * @param nics each with another name
 * @param passed devices whose messages are passed on, each with another name
 * @param peer the other host's mediator, as {@code --peer} has it: a path, or {@code
 *     tcp:127.0.0.1:PORT}, with {@code listen:} before it to listen there; null: none
 * @param keeper the socket of a {@code jvhost keep}, which holds descriptors and state for the
 *     mediator that comes after this one; null: the service manager does, if it says so in the
 *     environment
 * @param rehearsing how long windows are rehearsed before the mediator serves, so that the code of
 *     the first one is compiled; zero: not at all
 * @param remember a directory in which the last start of each NIC is kept; null: nothing is kept
 * @param control where operators ask and command, as docs/mediate.md has it: a socket with mode
 *     0600; null: nowhere
 */
public record MediatorOptions(
    List<NicOptions> nics,
    List<PassedDevice> passed,
    @Nullable String peer,
    @Nullable Path keeper,
    Duration rehearsing,
    @Nullable Path remember,
    @Nullable Path control) {

  /** Copies the lists. */
  public MediatorOptions {
    nics = List.copyOf(nics);
    passed = List.copyOf(passed);
    if (peer != null) {
      PeerAddress.parse(peer);
    }
  }

  /**
   * {@return a mediator that has no peer and no keeper, rehearses and remembers nothing, and cannot
   * be controlled}
   *
   * @param nics each with another name
   */
  public static MediatorOptions of(List<NicOptions> nics) {
    return new MediatorOptions(nics, List.of(), null, null, Duration.ZERO, null, null);
  }

  /**
   * {@return the same with other NICs}
   *
   * @param others each with another name
   */
  public MediatorOptions withNics(List<NicOptions> others) {
    return new MediatorOptions(others, passed, peer, keeper, rehearsing, remember, control);
  }

  /**
   * {@return the same with devices whose messages are passed on}
   *
   * @param devices each with another name
   */
  public MediatorOptions withPassed(List<PassedDevice> devices) {
    return new MediatorOptions(nics, devices, peer, keeper, rehearsing, remember, control);
  }

  /**
   * {@return the same with a peer}
   *
   * @param address as {@code --peer} has it; null: none
   */
  public MediatorOptions withPeer(@Nullable String address) {
    return new MediatorOptions(nics, passed, address, keeper, rehearsing, remember, control);
  }

  /**
   * {@return the same with a keeper}
   *
   * @param socket of a {@code jvhost keep}; null: none
   */
  public MediatorOptions withKeeper(@Nullable Path socket) {
    return new MediatorOptions(nics, passed, peer, socket, rehearsing, remember, control);
  }

  /**
   * {@return the same with windows that are rehearsed}
   *
   * @param time for all of them; zero: none
   */
  public MediatorOptions withRehearsing(Duration time) {
    return new MediatorOptions(nics, passed, peer, keeper, time, remember, control);
  }

  /**
   * {@return the same with a memory of starts}
   *
   * @param directory exists; null: nothing is kept
   */
  public MediatorOptions withRemember(@Nullable Path directory) {
    return new MediatorOptions(nics, passed, peer, keeper, rehearsing, directory, control);
  }

  /**
   * {@return the same with a socket for operators}
   *
   * @param socket where it shall be; null: nowhere
   */
  public MediatorOptions withControl(@Nullable Path socket) {
    return new MediatorOptions(nics, passed, peer, keeper, rehearsing, remember, socket);
  }

  @Nullable PeerAddress peerAddress() {
    return peer == null ? null : PeerAddress.parse(peer);
  }
}
