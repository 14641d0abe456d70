package io.github.jvhost.cli;

import io.github.jvhost.VhostException;
import io.github.jvhost.testkit.preview.PlanPreviewMemory;
import io.github.jvhost.virtio.CommonState;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.RingIndex;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.QemuStreamReader;
import io.github.jvhost.vmstate.RamRecord;
import io.github.jvhost.vmstate.RamSink;
import io.github.jvhost.vmstate.SectionHeader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Compares the positions of saved devices' split rings with the used and available indexes in guest
 * memory, which the same stream contains. Memory comes before devices in a stream, so this class
 * reads the file a second time, and keeps only the pages with an index.
 *
 * <p>It cannot check packed rings, standard input, which can be read only once, and pages that the
 * stream has only as differences, compressed, or elsewhere in the file. It gives no warnings for
 * them.
 */
final class RingsInMemory implements RamSink {
  private static final int PAGE = RamRecord.PAGE_SIZE;
  private static final int INDEX = 2;
  private static final int LEGACY_ALIGN = 4096;

  private final String block;
  private final PlanPreviewMemory layout;

  /** The newest content of each wanted page, by offset in the block; null if it is not known. */
  private final Map<Long, byte @Nullable []> pages = new HashMap<>();

  private RingsInMemory(String block, PlanPreviewMemory layout) {
    this.block = block;
    this.layout = layout;
  }

  /**
   * Returns the problems of a machine's rings.
   *
   * @param file the stream from which the machine was read
   * @param layout the assumed layout of its memory
   * @return by path of a device, a line for each ring with a problem
   */
  static Map<String, List<String>> warnings(
      String file, SavedMachine machine, PlanPreviewMemory layout) {
    if (file.equals("-") || !Files.isRegularFile(Path.of(file)) || machine.ram().isEmpty()) {
      return Map.of();
    }
    var memory = new RingsInMemory(machine.ram().get().name(), layout);
    machine.devices().forEach(device -> memory.want(device.state()));
    if (memory.pages.isEmpty()) {
      return Map.of();
    }
    InputFile.use(
        file,
        System.in,
        stream -> {
          QemuStreamReader reader = QemuStreamReader.builder().ram(memory).open(stream);
          for (var next = reader.next(); next.isPresent(); next = reader.next()) {
            // Only memory matters here.
          }
          return file;
        });
    Map<String, List<String>> warnings = new HashMap<>();
    for (SavedMachine.Device device : machine.devices()) {
      List<String> own = memory.warnings(device.state());
      if (!own.isEmpty()) {
        warnings.put(device.path(), own);
      }
    }
    return warnings;
  }

  /**
   * The same, with the memory layout that belongs to the machine's name.
   *
   * @return as above; nothing if the machine's memory has no valid layout
   */
  static Map<String, List<String>> warnings(String file, SavedMachine machine) {
    try {
      return warnings(file, machine, PreviewedBackEnd.memory(machine, List.of()));
    } catch (VhostException e) {
      return Map.of();
    }
  }

  // ---- which places ----

  private static boolean isServed(VirtioNetState state, SavedQueue queue) {
    return (state.common().status() & DeviceStatus.DRIVER_OK) != 0
        && !NetFeature.RING_PACKED.in(state.common().features())
        && queue.desc() != 0
        && queue.size() > 0;
  }

  private static boolean isModern(VirtioNetState state) {
    return NetFeature.VERSION_1.in(state.common().features());
  }

  private static long available(VirtioNetState state, SavedQueue queue) {
    return isModern(state) ? queue.avail() : queue.desc() + 16L * queue.size();
  }

  /**
   * Returns the address of the used ring. A legacy driver's follows from the other addresses
   * (virtio 1.2, 2.7.2).
   */
  private static long used(VirtioNetState state, SavedQueue queue) {
    if (isModern(state)) {
      return queue.used();
    }
    long align = queue.align() == 0 ? LEGACY_ALIGN : queue.align();
    long end = available(state, queue) + 4 + 2L * queue.size();
    return (end + align - 1) / align * align;
  }

  private void want(VirtioNetState state) {
    for (int i = 0; i < state.queueCount(); i++) {
      SavedQueue queue = state.queue(i);
      if (isServed(state, queue)) {
        want(available(state, queue));
        want(used(state, queue));
      }
    }
  }

  private void want(long ring) {
    for (int i = 0; i < Short.BYTES; i++) {
      long offset = offset(ring + INDEX + i);
      if (offset >= 0) {
        pages.put(offset / PAGE * PAGE, null);
      }
    }
  }

  /** Returns the offset of a guest address in the block, or -1 if it is not in it. */
  private long offset(long address) {
    long before = 0;
    for (PlanPreviewMemory.Region region : layout.regions()) {
      long within = address - region.address();
      if (within >= 0 && within < region.size()) {
        return before + within;
      }
      before += region.size();
    }
    return -1;
  }

  // ---- what is there ----

  @Override
  public void begin(SectionHeader header) {
    // Each section has pages, or a list of blocks that is known already.
  }

  @Override
  public void accept(RamRecord record) {
    switch (record) {
      case RamRecord.Fill(RamRecord.Place place, int value) -> {
        if (isWanted(place)) {
          byte[] page = new byte[PAGE];
          Arrays.fill(page, (byte) value);
          pages.put(place.offset(), page);
        }
      }
      case RamRecord.Page(RamRecord.Place place, ByteBuffer bytes) -> {
        if (isWanted(place)) {
          byte[] page = new byte[PAGE];
          bytes.duplicate().get(page);
          pages.put(place.offset(), page);
        }
      }
      case RamRecord.Delta delta -> forget(delta.place());
      case RamRecord.Compressed compressed -> forget(compressed.place());
      case RamRecord.Blocks _, RamRecord.Flush _, RamRecord.End _ -> {}
    }
  }

  private boolean isWanted(RamRecord.Place place) {
    return place.block().equals(block) && pages.containsKey(place.offset());
  }

  private void forget(RamRecord.Place place) {
    if (isWanted(place)) {
      pages.put(place.offset(), null);
    }
  }

  private OptionalInt index(long ring, ByteOrder order) {
    int value = 0;
    for (int i = 0; i < Short.BYTES; i++) {
      long offset = offset(ring + INDEX + i);
      byte[] page = offset < 0 ? null : pages.get(offset / PAGE * PAGE);
      if (page == null) {
        return OptionalInt.empty();
      }
      int shift = order == ByteOrder.LITTLE_ENDIAN ? 8 * i : 8 * (1 - i);
      value |= (page[(int) (offset % PAGE)] & 0xff) << shift;
    }
    return OptionalInt.of(value);
  }

  private List<String> warnings(VirtioNetState state) {
    boolean big = !isModern(state) && state.common().endian() == CommonState.Endian.BIG;
    ByteOrder order = big ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < state.queueCount(); i++) {
      SavedQueue queue = state.queue(i);
      if (!isServed(state, queue)) {
        continue;
      }
      OptionalInt used = index(used(state, queue), order);
      OptionalInt available = index(available(state, queue), order);
      if (used.isPresent()
          && available.isPresent()
          && !RingIndex.splitMayBe(
              queue.next(), used.getAsInt(), available.getAsInt(), queue.size())) {
        lines.add(
            "ring %d cannot go on at %d: in guest memory the used index is %d and the available index %d, of %d entries"
                .formatted(i, queue.next(), used.getAsInt(), available.getAsInt(), queue.size()));
      }
    }
    return lines;
  }
}
