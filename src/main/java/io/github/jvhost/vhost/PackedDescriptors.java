package io.github.jvhost.vhost;

import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.vhost.plan.PackedFlags;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/** Reads the descriptors of packed rings in guest memory. */
final class PackedDescriptors {
  private PackedDescriptors() {}

  /** Whether the first descriptor was never written, so that no descriptor was. */
  static boolean isBlank(DeviceMemory memory, long descriptors) {
    return memory.getLong(descriptors) == 0 && memory.getLong(descriptors + Long.BYTES) == 0;
  }

  /** Whether a device in this lap has written the descriptor at this index as used. */
  static boolean isUsed(DeviceMemory memory, long descriptors, int index, boolean wrap) {
    return PackedFlags.isUsed(memory.getShort(PackedFlags.at(descriptors, index)), wrap);
  }

  /** Reads the flags of a ring's descriptors by their index. */
  static IntFunction<@Nullable Integer> flags(DeviceMemory memory, long descriptors) {
    return index -> memory.getShort(PackedFlags.at(descriptors, index)) & 0xffff;
  }
}
