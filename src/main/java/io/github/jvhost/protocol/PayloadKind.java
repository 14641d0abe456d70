package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/** The layouts, as data for the tables of requests: the sizes of each, and its decoder. */
public enum PayloadKind {
  /** Nothing follows the header. */
  NONE(0, 0),
  /** One number. */
  U64(8, 8),
  /** Ring index and a 32-bit value. */
  VRING_STATE(8, 8),
  /** Where the three parts of a ring are. */
  VRING_ADDRESS(40, 40),
  /** Ring index, and whether a descriptor is attached. */
  VRING_DESCRIPTOR(8, 8),
  /** All memory regions. */
  MEMORY_TABLE(8, 8 + 32 * MemoryTablePayload.MAX_REGIONS),
  /** One memory region. */
  SINGLE_REGION(40, 40),
  /** Where the dirty log lies in its file. */
  LOG(16, 16),
  /** An entry of the I/O translation buffer; its tail padding is optional. */
  IOTLB(26, Header.MAX_PAYLOAD),
  /** A piece of the configuration space; empty when a back end refuses. */
  CONFIG(0, 12 + ConfigSpace.MAX_BYTES),
  /** A doorbell page of a ring. */
  VRING_AREA(24, 24),
  /** The in-flight region; its tail padding is optional. */
  INFLIGHT(20, Header.MAX_PAYLOAD),
  /** A UUID. */
  SHARED_OBJECT(16, 16),
  /** Direction and phase of a device state transfer. */
  DEVICE_STATE(8, 8),
  /** A mapping into a shared memory region. */
  MMAP(40, 40),
  /** Sizes of the shared memory regions. */
  SHMEM_CONFIG(2056, 2056),
  /** Bytes that this front end passes on but does not read. */
  OPAQUE(0, Header.MAX_PAYLOAD),
  /** Any number of bytes, without a meaning (the reply to SET_LOG_BASE). */
  IGNORED(0, Header.MAX_PAYLOAD);

  private final int minSize;
  private final int maxSize;

  PayloadKind(int minSize, int maxSize) {
    this.minSize = minSize;
    this.maxSize = maxSize;
  }

  /** {@return the fewest bytes that are accepted} */
  public int minSize() {
    return minSize;
  }

  /**
   * {@return whether a payload of this layout can have this size; {@link #decode} may still refuse
   * its content}
   *
   * @param size in bytes, as a header says
   */
  public boolean accepts(int size) {
    return size >= minSize && size <= maxSize;
  }

  /** {@return the sizes in bytes that are accepted, for messages: "8" or "26 to 4096"} */
  public String describeSizes() {
    return minSize == maxSize ? Integer.toString(minSize) : minSize + " to " + maxSize;
  }

  /**
   * Reads {@code size} bytes.
   *
   * @param in holds the payload from its reader index on; the index moves past it
   * @param size bytes of the payload, as its header says
   * @return the payload; {@link NoPayload#INSTANCE} for {@link #IGNORED}, and for a {@link #CONFIG}
   *     of 0 bytes
   * @throws ProtocolException if the size does not fit, bytes are missing or a value is out of
   *     range
   */
  public Payload decode(ByteBuf in, int size) {
    return switch (this) {
      case NONE -> NoPayload.decode(in, size);
      case U64 -> io.github.jvhost.protocol.U64.decode(in, size);
      case VRING_STATE -> VringState.decode(in, size);
      case VRING_ADDRESS -> VringAddress.decode(in, size);
      case VRING_DESCRIPTOR -> VringDescriptor.decode(in, size);
      case MEMORY_TABLE -> MemoryTablePayload.decode(in, size);
      case SINGLE_REGION -> SingleRegion.decode(in, size);
      case LOG -> LogRegion.decode(in, size);
      case IOTLB -> Iotlb.decode(in, size);
      // A back end refuses GET_CONFIG with an empty payload.
      case CONFIG -> size == 0 ? NoPayload.INSTANCE : ConfigSpace.decode(in, size);
      case VRING_AREA -> VringArea.decode(in, size);
      case INFLIGHT -> Inflight.decode(in, size);
      case SHARED_OBJECT -> SharedObject.decode(in, size);
      case DEVICE_STATE -> DeviceStateTransfer.decode(in, size);
      case MMAP -> MmapRequest.decode(in, size);
      case SHMEM_CONFIG -> ShmemConfig.decode(in, size);
      case OPAQUE -> OpaquePayload.decode(in, size);
      case IGNORED -> {
        Wire.between("ignored payload", in, size, 0, Header.MAX_PAYLOAD);
        in.skipBytes(size);
        yield NoPayload.INSTANCE;
      }
    };
  }
}
