package io.github.jvhost.testkit;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/**
 * The in-flight regions that a front end gave to one connection. Rings are served in one go, so
 * nothing is in flight between two looks at them, and what is written down is how far they came.
 */
final class BackEndInflight implements AutoCloseable {
  private final InflightLayout layout;
  private final Mapping mapping;
  private final MemorySegment regions;
  private final BitSet seen = new BitSet();

  private BackEndInflight(InflightLayout layout, Mapping mapping, MemorySegment regions) {
    this.layout = layout;
    this.mapping = mapping;
    this.regions = regions;
  }

  /**
   * Maps what came back.
   *
   * @param file from here on this method's, also when it fails
   * @throws VhostException when the regions do not lie inside the file
   */
  static BackEndInflight map(InflightLayout layout, long offset, OwnedDescriptor file) {
    try (MemoryFile opened = MemoryFile.adopt(file)) {
      long start = offset & -(long) Mapping.PAGE;
      long before = offset - start;
      if (offset < 0 || layout.bytes() > opened.size() - offset) {
        throw new VhostException(
            "mapping " + layout + " at " + offset + ": its file has " + opened.size() + " bytes",
            Recovery.GIVE_UP);
      }
      Mapping mapping = opened.map(start, before + layout.bytes());
      return new BackEndInflight(
          layout, mapping, mapping.segment().asSlice(before, layout.bytes()));
    }
  }

  /**
   * A ring starts. Where another back end had used its region, a packed ring goes on from there:
   * its position is written nowhere else.
   */
  void started(RingModel ring, BackEndState state) {
    if (ring.number >= layout.queues()) {
      return;
    }
    boolean first = !seen.get(ring.number);
    seen.set(ring.number);
    if (first && layout.packed() && layout.isUsed(regions, ring.number)) {
      int position = layout.position(regions, ring.number);
      state.recover(ring.number, position | (position << 16));
    }
    write(ring);
  }

  /** Rings were looked at: writes down how far they are. */
  void served(BackEndState state) {
    for (int i = 0; i < layout.queues(); i++) {
      if (state.isStarted(i) && seen.get(i)) {
        write(state.model(i));
      }
    }
  }

  private void write(RingModel ring) {
    layout.write(regions, ring.number, ring.size, ring.nextUsed & 0xffff);
  }

  @Override
  public void close() {
    mapping.close();
  }
}
