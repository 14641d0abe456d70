package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * The saved state of virtio-net in addition to {@link CommonState}.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param mac current MAC address
 * @param txWaiting for each queue pair in use, whether work was left in the host's own transmit
 *     path (32 bits each); zero with vhost
 * @param mergeableBuffers whether a packet may span several receive buffers
 * @param status the config space's status field, 16 bits: {@link #LINK_UP}, {@link #ANNOUNCE}
 * @param filters receive modes, MAC table and VLAN filter
 * @param vnetHeader whether packets have a virtio-net header at the peer; always true with vhost
 * @param ufo whether the peer accepts UFO
 * @param maxQueuePairs 1 to 511; it is configured, and must be the same at both ends
 * @param currentQueuePairs queue pairs in use, 1 to the maximum
 * @param guestOffloads receive offloads in use; 0 unless CTRL_GUEST_OFFLOADS was negotiated
 * @param rss receive-side scaling, if enabled
 * @param backEnd state of the back end itself (DEVICE_STATE), if it was saved: up to {@link
 *     #MAX_CHUNKS} chunks of 1 byte to 1 MiB, as in QEMU's section, at most {@link
 *     #MAX_BACK_END_STATE} bytes in all. The boundaries between chunks have no meaning
 */
public record NetState(
    MacAddress mac,
    List<Integer> txWaiting,
    boolean mergeableBuffers,
    int status,
    FilterState filters,
    boolean vnetHeader,
    boolean ufo,
    int maxQueuePairs,
    int currentQueuePairs,
    long guestOffloads,
    Optional<RssState> rss,
    Optional<List<Bytes>> backEnd) {
  /** Status bit: the link is up. */
  public static final int LINK_UP = 1;

  /** Status bit: the device asks the driver to announce itself. */
  public static final int ANNOUNCE = 2;

  /** The most queue pairs: they and the control ring fit into {@link VirtioNetState#MAX_QUEUES}. */
  public static final int MAX_PAIRS = (VirtioNetState.MAX_QUEUES - 1) / 2;

  /** The largest chunk of a back end's state, in bytes. */
  public static final int MAX_CHUNK = 1 << 20;

  /** The most chunks of a back end's state: QEMU writes one for each read from the back end. */
  public static final int MAX_CHUNKS = 1 << 20;

  /** The most bytes of a back end's state, in all its chunks: 64 MiB. */
  public static final int MAX_BACK_END_STATE = 64 << 20;

  /** Checks the ranges. */
  public NetState {
    Objects.requireNonNull(mac, "mac");
    Objects.requireNonNull(filters, "filters");
    Objects.requireNonNull(rss, "rss");
    txWaiting = List.copyOf(txWaiting);
    backEnd = backEnd.map(List::copyOf);
    Ranges.check16(status, "network status");
    if (maxQueuePairs < 1
        || maxQueuePairs > MAX_PAIRS
        || currentQueuePairs < 1
        || currentQueuePairs > maxQueuePairs) {
      throw new IllegalArgumentException(
          currentQueuePairs + " of " + maxQueuePairs + " queue pairs in use");
    }
    if (txWaiting.size() != currentQueuePairs) {
      throw new IllegalArgumentException(
          txWaiting.size() + " transmit states for " + currentQueuePairs + " queue pairs");
    }
    backEnd.ifPresent(NetState::checkBackEnd);
  }

  private static void checkBackEnd(List<Bytes> chunks) {
    long size = 0;
    for (Bytes chunk : chunks) {
      if (chunk.size() == 0 || chunk.size() > MAX_CHUNK) {
        throw new IllegalArgumentException("a back end's state in a chunk of " + chunk.size());
      }
      size += chunk.size();
    }
    if (size > MAX_BACK_END_STATE || chunks.size() > MAX_CHUNKS) {
      throw new IllegalArgumentException(
          "a back end's state of %d bytes in %d chunks".formatted(size, chunks.size()));
    }
  }

  /**
   * {@return the same state with another status field}
   *
   * @param newStatus 16 bits: {@link #LINK_UP}, {@link #ANNOUNCE}
   */
  public NetState withStatus(int newStatus) {
    return with(mac, newStatus, txWaiting, guestOffloads, rss, backEnd);
  }

  /**
   * {@return the same state with another MAC address}
   *
   * @param newMac replaces the current address
   */
  public NetState withMac(MacAddress newMac) {
    return with(newMac, status, txWaiting, guestOffloads, rss, backEnd);
  }

  /**
   * {@return the same state with that many queue pairs in use, and no work left to transmit}
   *
   * @param inUse queue pairs, 1 to the maximum
   */
  public NetState withQueuePairs(int inUse) {
    return with(mac, status, Collections.nCopies(inUse, 0), guestOffloads, rss, backEnd);
  }

  /**
   * {@return the same state with other receive offloads in use}
   *
   * @param offloads bits as in VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET; 0 unless CTRL_GUEST_OFFLOADS was
   *     negotiated
   */
  public NetState withGuestOffloads(long offloads) {
    return with(mac, status, txWaiting, offloads, rss, backEnd);
  }

  /**
   * {@return the same state with another receive-side scaling, or with none}
   *
   * @param newRss the new one; empty for none
   */
  public NetState withRss(Optional<RssState> newRss) {
    return with(mac, status, txWaiting, guestOffloads, newRss, backEnd);
  }

  /**
   * {@return the same state with another state of its back end, or with none}
   *
   * @param chunks the new state, which may have no chunk; empty for no state
   */
  public NetState withBackEnd(Optional<List<Bytes>> chunks) {
    return with(mac, status, txWaiting, guestOffloads, rss, chunks);
  }

  private NetState with(
      MacAddress newMac,
      int newStatus,
      List<Integer> newTxWaiting,
      long newOffloads,
      Optional<RssState> newRss,
      Optional<List<Bytes>> newBackEnd) {
    return new NetState(
        newMac,
        newTxWaiting,
        mergeableBuffers,
        newStatus,
        filters,
        vnetHeader,
        ufo,
        maxQueuePairs,
        newTxWaiting.size(),
        newOffloads,
        newRss,
        newBackEnd);
  }
}
