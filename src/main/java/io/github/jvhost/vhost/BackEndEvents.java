package io.github.jvhost.vhost;

import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MmapRequest;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What an embedder hears from a back end, on the channel that SET_BACKEND_REQ_FD gives it
 * (vhost-user, "Back-end message types"). Every method has a default that refuses or does nothing.
 *
 * <p>Called on whichever thread waits for the back end at that moment, perhaps in the stop window;
 * never two at once for one device. That thread holds the device's lock in some of these moments
 * and not in others, so an implementation returns at once and waits for no other thread that uses
 * the device. A back end may stand still until it has its answer.
 *
 * <p>An implementation may look at the device ({@link VhostNet#read}, {@link VhostNet#snapshot})
 * and {@linkplain VhostNet#kick kick} it. What would tell the back end something throws {@link
 * IllegalStateException} while a request is answered: it belongs on a thread of the embedder's own.
 *
 * <p>A descriptor that a method is given is its own from then on, to close, whatever it answers.
 */
public interface BackEndEvents {
  /** An implementation that refuses everything. */
  BackEndEvents NONE = new BackEndEvents() {};

  /** The configuration space changed (CONFIG_CHANGE_MSG). Only with CONFIG. */
  default void configChanged() {}

  /**
   * The back end offers a page into which the guest's kicks may be mapped, or withdraws it
   * (VRING_HOST_NOTIFIER_MSG). Before a ring stops, jvhost withdraws its page by itself. Only with
   * HOST_NOTIFIER.
   *
   * @param ring vring index
   * @param page what to map; null: the mapping has to go before this returns
   * @param offset where in it, in bytes
   * @param size bytes
   * @return whether that was done; refusing an offer means that kicks go through the eventfd
   */
  default boolean hostNotifier(int ring, @Nullable OwnedDescriptor page, long offset, long size) {
    if (page != null) {
      page.close();
    }
    return page == null;
  }

  /**
   * A translation is missing (IOTLB_MSG). What is answered here is told the back end on the main
   * connection. Only with a virtual IOMMU.
   *
   * <p>Where GPA_ADDRESSES was negotiated, the translation has a guest-physical address in the
   * place of the user address; the back end's own messages do not (vhost-user, "An IOTLB message").
   *
   * @param miss the address that the back end wants to reach, and how
   * @return the translation; empty: there is none, and nothing is told
   */
  default Optional<Iotlb> iotlbMiss(Iotlb miss) {
    return Optional.empty();
  }

  /**
   * The back end could not access memory as translated (IOTLB_MSG, access fail).
   *
   * @param access what it wanted to reach, and how
   */
  default void iotlbAccessFailed(Iotlb access) {}

  /**
   * The back end gives a ring up: its err eventfd, or VRING_ERR in band.
   *
   * @param ring vring index
   */
  default void ringFailed(int ring) {}

  /**
   * An object is offered to others (SHARED_OBJECT_ADD).
   *
   * @param object which one
   * @return whether it is known from now on; otherwise the back end is refused
   */
  default boolean sharedObjectAdded(SharedObject object) {
    return false;
  }

  /**
   * An object is not offered any more (SHARED_OBJECT_REMOVE).
   *
   * @param object which one
   * @return whether it is forgotten now; otherwise the back end is refused
   */
  default boolean sharedObjectRemoved(SharedObject object) {
    return false;
  }

  /**
   * The back end asks for an object of another device (SHARED_OBJECT_LOOKUP).
   *
   * @param object which one
   * @return its descriptor, which stays its owner's; empty: there is no such object
   */
  default Optional<OwnedDescriptor> sharedObject(SharedObject object) {
    return Optional.empty();
  }

  /**
   * Maps a file into a shared memory region (SHMEM_MAP). Nothing is mapped there yet: jvhost
   * refuses a range that overlaps another mapping, and an empty one, without asking. Whether the
   * range lies within the region is for the embedder to check, who made the region.
   *
   * @param request which part of the file, where in which region, and whether for writing
   * @param file what to map
   * @return whether that was done; otherwise the back end is refused
   */
  default boolean shmemMap(MmapRequest request, OwnedDescriptor file) {
    file.close();
    return false;
  }

  /**
   * Undoes just such a mapping (SHMEM_UNMAP): the back end asks for it, or the driver has reset the
   * device, or the connection is over. The protocol has mappings end with a reset, and another back
   * end could never undo those of the one before.
   *
   * @param request where in which region, as it was mapped; its place in the file means nothing
   * @return whether that was done; otherwise the back end is refused. After a reset, or without a
   *     connection, the answer changes nothing: jvhost has forgotten the mapping
   */
  default boolean shmemUnmap(MmapRequest request) {
    return false;
  }
}
