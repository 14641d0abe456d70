package io.github.jvhost.testkit;

import io.github.jvhost.protocol.DeviceStateTransfer;
import io.github.jvhost.protocol.MemoryRegionPayload;
import java.util.List;
import java.util.UUID;

/**
 * What one message makes a back end do, beyond answering it. Applied in the order of the list they
 * come in.
 */
sealed interface Effect {
  /**
   * The ring is served from now on.
   *
   * @param ring its number, from 0
   */
  record RingStarted(int ring) implements Effect {}

  /**
   * The ring is not touched any more.
   *
   * @param ring its number, from 0
   */
  record RingStopped(int ring) implements Effect {}

  /**
   * Descriptors of a ring that are closed now.
   *
   * @param ring its number, from 0
   * @param kick whether the kick is one of them
   * @param call whether the call is one of them
   */
  record NotifiersForgotten(int ring, boolean kick, boolean call) implements Effect {}

  /**
   * The call descriptor is signalled once although nothing was used.
   *
   * @param ring whose call, from 0
   */
  record CallSignalled(int ring) implements Effect {}

  /**
   * The table is mapped in place of the one before.
   *
   * @param regions the whole table
   * @param isNew false where it equals the one before and is mapped again all the same
   */
  record MemoryReplaced(List<MemoryRegionPayload> regions, boolean isNew) implements Effect {}

  /**
   * One region more is mapped.
   *
   * @param region where the guest and ring addresses find it, and where it begins in the file that
   *     came with this message
   */
  record RegionAdded(MemoryRegionPayload region) implements Effect {}

  /**
   * One region is unmapped.
   *
   * @param region as it was added
   */
  record RegionRemoved(MemoryRegionPayload region) implements Effect {}

  /** The dirty log is replaced by the one that came with this message. */
  record LogReplaced() implements Effect {}

  /**
   * The device's configuration is committed to hardware.
   *
   * @param occasion "DRIVER_OK", "PRESETUP end" …
   * @param image what shall be there
   * @param beforeAnswer whether the answer to this message waits for it
   */
  record Configured(String occasion, HardwareImage image, boolean beforeAnswer) implements Effect {}

  /** Nothing is in hardware any more. */
  record HardwareForgotten() implements Effect {}

  /**
   * In-flight regions are made, and go with the answer.
   *
   * @param layout for how many rings, and of which size
   */
  record InflightMade(InflightLayout layout) implements Effect {}

  /**
   * In-flight regions came back.
   *
   * @param layout for how many rings, and of which size
   * @param offset where they begin in the file that came with this message, in bytes; as it was
   *     told
   */
  record InflightTaken(InflightLayout layout, long offset) implements Effect {}

  /**
   * The device's own state moves.
   *
   * @param direction which way
   * @param ownPipe whether through a new pipe, whose other end goes with the answer, instead of the
   *     one that came with this message
   */
  record StateTransferBegun(DeviceStateTransfer.Direction direction, boolean ownPipe)
      implements Effect {}

  /**
   * A shared object goes with the answer.
   *
   * @param uuid its name
   */
  record ObjectGiven(UUID uuid) implements Effect {}

  /** A descriptor that reports page faults goes with the answer. */
  record PostcopyAdvised() implements Effect {}

  /**
   * The guest's kick came as a message.
   *
   * @param ring whose kick, from 0
   */
  record KickedInBand(int ring) implements Effect {}

  /**
   * A RARP frame for this station goes out.
   *
   * @param mac its address, in the first six bytes of memory order
   */
  record StationAnnounced(long mac) implements Effect {}
}
