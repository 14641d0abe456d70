package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * The bytes that follow a header. There is one record per layout of the specification. Records are
 * immutable and compared by content.
 */
public sealed interface Payload
    permits NoPayload,
        U64,
        VringState,
        VringAddress,
        VringDescriptor,
        MemoryTablePayload,
        SingleRegion,
        LogRegion,
        VringArea,
        Inflight,
        ConfigSpace,
        Iotlb,
        SharedObject,
        DeviceStateTransfer,
        MmapRequest,
        ShmemConfig,
        OpaquePayload {

  /** {@return how many bytes {@link #encode} writes} */
  int size();

  /**
   * Writes exactly {@link #size()} bytes.
   *
   * @param out takes the bytes at its writer index, which moves; the caller keeps it
   */
  void encode(ByteBuf out);

  /** {@return which layout this is} */
  PayloadKind kind();
}
