package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;
import java.util.Optional;

/**
 * All requests that a back end can send on the channel of SET_BACKEND_REQ_FD. Their numbers are
 * independent of those of {@link FrontEndRequest} (specification, "Back-end message types").
 */
public enum BackEndRequest {
  /** The back end reports a missing translation or a failed access. */
  IOTLB_MSG(1, PayloadKind.IOTLB, 0, 0, false, 0L),
  /** The configuration space changed. */
  CONFIG_CHANGE_MSG(2, PayloadKind.NONE, 0, 0, false, ProtocolFeature.CONFIG.mask()),
  /** The back end offers a doorbell page, or withdraws it. */
  VRING_HOST_NOTIFIER_MSG(
      3, PayloadKind.VRING_AREA, 0, 1, false, ProtocolFeature.HOST_NOTIFIER.mask()),
  /** The back end sends a call as a message. */
  VRING_CALL(4, PayloadKind.VRING_STATE, 0, 0, false, ProtocolFeature.INBAND_NOTIFICATIONS.mask()),
  /** The back end reports an error of a ring as a message. */
  VRING_ERR(5, PayloadKind.VRING_STATE, 0, 0, false, ProtocolFeature.INBAND_NOTIFICATIONS.mask()),
  /** The back end offers an object. */
  SHARED_OBJECT_ADD(
      6, PayloadKind.SHARED_OBJECT, 0, 0, false, ProtocolFeature.SHARED_OBJECT.mask()),
  /** The back end withdraws an object. */
  SHARED_OBJECT_REMOVE(
      7, PayloadKind.SHARED_OBJECT, 0, 0, false, ProtocolFeature.SHARED_OBJECT.mask()),
  /**
   * The back end asks for an object. It is always answered, with a descriptor if the object exists.
   */
  SHARED_OBJECT_LOOKUP(
      8, PayloadKind.SHARED_OBJECT, 0, 0, true, ProtocolFeature.SHARED_OBJECT.mask()),
  /** The back end asks for a mapping in a shared memory region. */
  SHMEM_MAP(9, PayloadKind.MMAP, 1, 1, false, ProtocolFeature.SHMEM.mask()),
  /** The back end asks to remove such a mapping. */
  SHMEM_UNMAP(10, PayloadKind.MMAP, 0, 0, false, ProtocolFeature.SHMEM.mask());

  private static final BackEndRequest[] ALL = values();

  private final int id;
  private final PayloadKind payload;
  private final int minDescriptors;
  private final int maxDescriptors;
  private final boolean alwaysAnswered;
  private final long gate;

  BackEndRequest(
      int id,
      PayloadKind payload,
      int minDescriptors,
      int maxDescriptors,
      boolean alwaysAnswered,
      long gate) {
    this.id = id;
    this.payload = payload;
    this.minDescriptors = minDescriptors;
    this.maxDescriptors = maxDescriptors;
    this.alwaysAnswered = alwaysAnswered;
    this.gate = gate;
  }

  /** {@return the request's number on the wire, in the number space of back-end requests} */
  public int id() {
    return id;
  }

  /** {@return the layout of its payload} */
  public PayloadKind payload() {
    return payload;
  }

  /** {@return the most descriptors that may be attached to it, 0 or 1} */
  public int maxDescriptors() {
    return maxDescriptors;
  }

  /**
   * Refuses a size that the layout cannot have. It can be called before the payload is received.
   *
   * @param size bytes of the payload, as the header says
   * @throws ProtocolException naming both sizes
   */
  public void requireFittingSize(int size) {
    if (!payload.accepts(size)) {
      throw new ProtocolException(
          this + " has " + size + " bytes, expected " + payload.describeSizes());
    }
  }

  /**
   * Reads and checks the payload of a request.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says
   * @param descriptors how many descriptors were received with it
   * @return the payload, in this request's layout
   * @throws ProtocolException if the layout, a value or the number of descriptors does not fit
   */
  public Payload decode(ByteBuf in, int size, int descriptors) {
    requireFittingSize(size);
    Payload decoded = payload.decode(in, size);
    int least = minDescriptors;
    int most = maxDescriptors;
    switch (decoded) {
      case VringArea area -> least = most = area.withoutDescriptor() ? 0 : 1;
      case Iotlb iotlb when iotlb.type() != Iotlb.MISS && iotlb.type() != Iotlb.ACCESS_FAIL ->
          throw new ProtocolException(
              this
                  + " of type "
                  + iotlb.type()
                  + ": a back end tells of a miss or a failed access");
      case VringState ring when ring.num() != 0 ->
          throw new ProtocolException(this + " with the number " + ring.num() + ", expected 0");
      default -> {
        // The columns of the table are enough.
      }
    }
    if (descriptors < least || descriptors > most) {
      throw new ProtocolException(
          this
              + " with "
              + descriptors
              + " descriptors, expected "
              + least
              + (least == most ? "" : " to " + most));
    }
    return decoded;
  }

  /** {@return the bits of {@link VhostFeature} that must be acknowledged as well; 0 for most} */
  public long featureMask() {
    return this == IOTLB_MSG ? VhostFeature.IOMMU_PLATFORM : 0;
  }

  /** {@return whether it is answered (u64) even when NEED_REPLY is not set} */
  public boolean alwaysAnswered() {
    return alwaysAnswered;
  }

  /**
   * {@return the protocol features, as bits, that must be negotiated besides BACKEND_REQ; 0 for
   * none}
   */
  public long gateMask() {
    return gate;
  }

  /**
   * {@return the request with this number; empty when there is none}
   *
   * @param id the number in a header
   */
  public static Optional<BackEndRequest> of(int id) {
    return id < 1 || id > ALL.length ? Optional.empty() : Optional.of(ALL[id - 1]);
  }
}
