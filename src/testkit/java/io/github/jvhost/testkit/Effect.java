package io.github.jvhost.testkit;

import io.github.jvhost.protocol.DeviceStateTransfer;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MemoryRegionPayload;
import java.util.List;
import java.util.UUID;

/**
 * What a back end does because of one message, besides answering it. Effects are applied in the
 * order of their list.
 */
sealed interface Effect {
  /**
   * The back end serves the ring from now on.
   *
   * @param ring its number, from 0
   */
  record RingStarted(int ring) implements Effect {}

  /**
   * The back end no longer touches the ring.
   *
   * @param ring its number, from 0
   */
  record RingStopped(int ring) implements Effect {}

  /**
   * Eventfds of a ring are closed now.
   *
   * @param ring its number, from 0
   * @param kick whether the kick is one of them
   * @param call whether the call is one of them
   */
  record NotifiersForgotten(int ring, boolean kick, boolean call) implements Effect {}

  /**
   * The back end signals the call once, although it has used no chain.
   *
   * @param ring whose call, from 0
   */
  record CallSignalled(int ring) implements Effect {}

  /**
   * The back end maps the table in place of the previous one.
   *
   * @param regions the whole table
   * @param isNew false if it equals the previous one and is mapped again all the same
   */
  record MemoryReplaced(List<MemoryRegionPayload> regions, boolean isNew) implements Effect {}

  /**
   * The back end maps one more region.
   *
   * @param region its guest address, its address for rings, and its offset in the file that came
   *     with this message
   */
  record RegionAdded(MemoryRegionPayload region) implements Effect {}

  /**
   * The back end unmaps one region.
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
   * @param image the wanted contents of the hardware
   * @param beforeAnswer whether the answer to this message waits for it
   */
  record Configured(String occasion, HardwareImage image, boolean beforeAnswer) implements Effect {}

  /** The hardware holds no configuration any more. */
  record HardwareForgotten() implements Effect {}

  /**
   * The back end creates in-flight regions and sends them with the answer.
   *
   * @param layout for how many rings, and of which size
   */
  record InflightMade(InflightLayout layout) implements Effect {}

  /**
   * The front end sent the in-flight regions back.
   *
   * @param layout for how many rings, and of which size
   * @param offset where they begin in the file that came with this message, in bytes; not checked
   *     yet
   */
  record InflightTaken(InflightLayout layout, long offset) implements Effect {}

  /**
   * A transfer of the device's own state begins.
   *
   * @param direction save or load
   * @param ownPipe true for a new pipe, whose other end is sent with the answer; false for the one
   *     that came with this message
   */
  record StateTransferBegun(DeviceStateTransfer.Direction direction, boolean ownPipe)
      implements Effect {}

  /**
   * The back end sends a shared object with the answer.
   *
   * @param uuid its name
   */
  record ObjectGiven(UUID uuid) implements Effect {}

  /** The back end sends a descriptor for page faults with the answer. */
  record PostcopyAdvised() implements Effect {}

  /**
   * The back end asks for a translation on its own channel.
   *
   * @param ring which ring needs it, from 0
   * @param miss the first byte that is missing, and the access
   */
  record TranslationMissed(int ring, Iotlb miss) implements Effect {}

  /**
   * A translation was taken or removed.
   *
   * @param message an update or an invalidation
   * @param kept false for an update that no ring keeps
   */
  record TranslationTold(Iotlb message, boolean kept) implements Effect {}

  /**
   * A kick arrived as a message.
   *
   * @param ring whose kick, from 0
   */
  record KickedInBand(int ring) implements Effect {}

  /**
   * The back end sends a RARP frame for this station.
   *
   * @param mac its address, in the first six bytes of memory order
   */
  record StationAnnounced(long mac) implements Effect {}
}
