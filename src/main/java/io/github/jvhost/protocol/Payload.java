package io.github.jvhost.protocol;

import io.netty.buffer.ByteBuf;

/**
 * What follows a header: one record per layout of the specification, immutable, compared by
 * content.
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

  /** Bytes that {@link #encode} writes. */
  int size();

  /** Writes exactly {@link #size()} bytes; the buffer stays the caller's. */
  void encode(ByteBuf out);

  /** Which layout this is. */
  PayloadKind kind();
}
