package io.github.jvhost.vhost.plan;

import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MmapRequest;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.sys.OwnedDescriptor;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Handles the requests that a back end sends on its own channel (SET_BACKEND_REQ_FD; vhost-user,
 * "Back-end message types"). The default of every method refuses or does nothing.
 *
 * <p>The thread that is waiting for the back end calls these methods, perhaps in the stop window,
 * and never two at once for one device. That thread sometimes holds the device's lock, so an
 * implementation returns at once and waits for no other thread that uses the device. A back end may
 * do nothing until it has its answer.
 *
 * <p>An implementation may read the device ({@code VhostNet.read}, {@code VhostNet.snapshot}) and
 * kick it. A call that would send the back end something throws {@link IllegalStateException} while
 * a request is answered. Make such a call on a thread of your own.
 *
 * <p>A method owns the descriptor that it is given and has to close it, whatever it answers.
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
   * @param page what to map; null: the mapping has to be removed before this returns
   * @param offset in the page's file, in bytes
   * @param size in bytes
   * @return whether that was done; if an offer is refused, kicks go through the eventfd
   */
  default boolean hostNotifier(int ring, @Nullable OwnedDescriptor page, long offset, long size) {
    if (page != null) {
      page.close();
    }
    return page == null;
  }

  /**
   * The back end could not access memory as translated (IOTLB_MSG, access fail).
   *
   * @param access what it wanted to access, and how
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
   * @return its descriptor, which its owner keeps; empty: there is no such object
   */
  default Optional<OwnedDescriptor> sharedObject(SharedObject object) {
    return Optional.empty();
  }

  /**
   * Maps a file into a shared memory region (SHMEM_MAP). Nothing is mapped there yet: jvhost
   * refuses by itself an empty range and a range that overlaps another mapping. The embedder, who
   * made the region, has to check that the range lies within it.
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
   * Removes such a mapping (SHMEM_UNMAP): the back end asks for it, or the driver has reset the
   * device, or the connection is over. The protocol ends mappings with a reset, and another back
   * end could not remove the mappings of the one before.
   *
   * @param request where in which region, as it was mapped; its place in the file means nothing
   * @return whether that was done; otherwise the back end is refused. After a reset, or without a
   *     connection, the answer changes nothing: jvhost has forgotten the mapping
   */
  default boolean shmemUnmap(MmapRequest request) {
    return false;
  }
}
