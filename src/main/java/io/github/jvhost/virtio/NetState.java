package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * What virtio-net saves beyond {@link CommonState}.
 *
 * <p>Immutable, and so thread-safe.
 *
 * @param mac current MAC address
 * @param txWaiting for each queue pair in use, whether the host's own transmit path had work left
 *     (32 bits each); zero with vhost
 * @param mergeableBuffers whether a packet may span several receive buffers
 * @param status the config space's status field, 16 bits: {@link #LINK_UP}, {@link #ANNOUNCE}
 * @param filters receive modes, MAC table and VLAN filter
 * @param vnetHeader whether packets carry a virtio-net header at the peer; always with vhost
 * @param ufo whether the peer takes UFO
 * @param maxQueuePairs 1 to 511; part of the configuration, must be the same at both ends
 * @param currentQueuePairs in use, 1 to the maximum
 * @param guestOffloads receive offloads in use; 0 unless CTRL_GUEST_OFFLOADS was negotiated
 * @param rss receive-side scaling, if enabled
 * @param backEnd state of the back end itself (DEVICE_STATE), if it was saved: up to {@link
 *     #MAX_CHUNKS} chunks of 1 byte to 1 MiB, as they stand in QEMU's section, in all at most
 *     {@link #MAX_BACK_END_STATE} bytes. Where one chunk ends and the next begins means nothing
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

  /** Status bit: the driver is asked to announce itself. */
  public static final int ANNOUNCE = 2;

  /**
   * The most queue pairs: with the control ring they fit into {@link VirtioNetState#MAX_QUEUES}.
   */
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
   * {@return the same with another status field}
   *
   * @param newStatus 16 bits: {@link #LINK_UP}, {@link #ANNOUNCE}
   */
  public NetState withStatus(int newStatus) {
    return with(mac, newStatus, txWaiting, guestOffloads, rss, backEnd);
  }

  /**
   * {@return the same with another MAC address}
   *
   * @param newMac takes the place of the current address
   */
  public NetState withMac(MacAddress newMac) {
    return with(newMac, status, txWaiting, guestOffloads, rss, backEnd);
  }

  /**
   * {@return the same with so many queue pairs in use; nothing is left to transmit}
   *
   * @param inUse 1 to the maximum
   */
  public NetState withQueuePairs(int inUse) {
    return with(mac, status, Collections.nCopies(inUse, 0), guestOffloads, rss, backEnd);
  }

  /**
   * {@return the same with other receive offloads in use}
   *
   * @param offloads bits as in VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET; 0 unless CTRL_GUEST_OFFLOADS was
   *     negotiated
   */
  public NetState withGuestOffloads(long offloads) {
    return with(mac, status, txWaiting, offloads, rss, backEnd);
  }

  /**
   * {@return the same with another receive-side scaling, or without}
   *
   * @param newRss empty: without
   */
  public NetState withRss(Optional<RssState> newRss) {
    return with(mac, status, txWaiting, guestOffloads, newRss, backEnd);
  }

  /**
   * {@return the same with another state of its back end, or without}
   *
   * @param chunks empty: without. A back end's state may also have no chunk
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
