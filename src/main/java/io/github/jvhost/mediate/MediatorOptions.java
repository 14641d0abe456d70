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
 * @param peer the other host's mediator, as {@code --peer} has it: a path, or {@code
 *     tcp:127.0.0.1:PORT}, with {@code listen:} before it to listen there; null: none
 * @param keeper the socket of a {@code jvhost keep}, which holds descriptors and state for the
 *     mediator that comes after this one; null: the service manager does, if it says so in the
 *     environment
 * @param rehearsing how long windows are rehearsed before the mediator serves, so that the code of
 *     the first one is compiled; zero: not at all
 * @param remember a directory in which the last start of each NIC is kept; null: nothing is kept
 */
public record MediatorOptions(
    List<NicOptions> nics,
    @Nullable String peer,
    @Nullable Path keeper,
    Duration rehearsing,
    @Nullable Path remember) {

  /** Copies the list. */
  public MediatorOptions {
    nics = List.copyOf(nics);
    if (peer != null) {
      PeerAddress.parse(peer);
    }
  }

  /**
   * {@return a mediator without a peer and a keeper, which neither rehearses nor remembers}
   *
   * @param nics each with another name
   */
  public static MediatorOptions of(List<NicOptions> nics) {
    return new MediatorOptions(nics, null, null, Duration.ZERO, null);
  }

  /**
   * {@return the same with a peer}
   *
   * @param address as {@code --peer} has it
   */
  public MediatorOptions withPeer(String address) {
    return new MediatorOptions(nics, address, keeper, rehearsing, remember);
  }

  @Nullable PeerAddress peerAddress() {
    return peer == null ? null : PeerAddress.parse(peer);
  }
}
