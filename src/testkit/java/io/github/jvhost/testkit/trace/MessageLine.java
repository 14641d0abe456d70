package io.github.jvhost.testkit.trace;

import io.github.jvhost.protocol.ConfigSpace;
import io.github.jvhost.protocol.DeviceStateTransfer;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.MmapRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.OpaquePayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.SharedObject;
import io.github.jvhost.protocol.ShmemConfig;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringArea;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.RecordedMessage;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * A message as one line. Addresses, sizes in bytes and bit sets are in hex.
 *
 * <p>Pure functions: thread-safe.
 */
public final class MessageLine {
  private MessageLine() {}

  /**
   * {@return a message of a front end as a line, without the time}
   *
   * @param message as a mock back end received it
   */
  public static String of(RecordedMessage message) {
    return "-> %-22s fl=0x%02x%s sz=%-3d fds=%d %s"
        .formatted(
            message.name(),
            message.flags(),
            message.needReply() ? " NEED_REPLY" : "",
            message.payload().size(),
            message.descriptors(),
            of(message.payload()))
        .stripTrailing();
  }

  /**
   * {@return a message of a front end as a line that begins with the time, in microseconds}
   *
   * @param message as a mock back end received it
   * @param start the moment from which the time counts, on the clock of {@link System#nanoTime()}
   */
  public static String of(RecordedMessage message, long start) {
    return "%12.1f us ".formatted((message.nanos() - start) / 1e3) + of(message);
  }

  /**
   * {@return a payload as text; empty if there is none}
   *
   * @param payload of any layout; for an opaque one only the size is shown
   */
  public static String of(Payload payload) {
    return switch (payload) {
      case NoPayload _ -> "";
      case U64(long value) -> "u64=" + hex(value);
      case VringState(int index, int num) ->
          "vq=" + index + " num=" + Integer.toUnsignedString(num);
      case VringAddress a ->
          "vq=%d flags=0x%x desc=0x%x used=0x%x avail=0x%x log=0x%x"
              .formatted(a.index(), a.flags(), a.descriptor(), a.used(), a.available(), a.log());
      case VringDescriptor(int index, boolean without) -> "vq=" + index + (without ? " nofd" : "");
      case MemoryTablePayload(List<MemoryRegionPayload> regions) ->
          "n="
              + regions.size()
              + regions.stream().map(r -> " " + region(r)).collect(Collectors.joining());
      case SingleRegion(MemoryRegionPayload region) -> region(region);
      case LogRegion(long bytes, long offset) -> "size=" + hex(bytes) + " off=" + hex(offset);
      case Inflight(long size, long offset, int queues, int queueSize) ->
          "size=0x%x off=0x%x queues=%d queue_size=%d".formatted(size, offset, queues, queueSize);
      case Iotlb t ->
          "iova=0x%x size=0x%x uva=0x%x perm=%d type=%d"
              .formatted(t.iova(), t.length(), t.userAddress(), t.permission(), t.type());
      case ConfigSpace c ->
          "off=%d len=%d flags=0x%x".formatted(c.offset(), c.content().size(), c.flags());
      case SharedObject(var uuid) -> "uuid=" + uuid;
      case DeviceStateTransfer(var direction) -> direction.name().toLowerCase(Locale.ROOT);
      // A front end does not send these three, or their numbers mean nothing here.
      case VringArea area -> area.toString();
      case MmapRequest map -> map.toString();
      case ShmemConfig config -> config.toString();
      case OpaquePayload bytes -> "(" + bytes.size() + " bytes)";
    };
  }

  private static String region(MemoryRegionPayload r) {
    return "[gpa=0x%x size=0x%x uva=0x%x off=0x%x]"
        .formatted(r.guestAddress(), r.size(), r.userAddress(), r.mmapOffset());
  }

  private static String hex(long value) {
    return "0x" + Long.toHexString(value);
  }
}
