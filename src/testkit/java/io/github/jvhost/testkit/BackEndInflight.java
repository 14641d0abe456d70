package io.github.jvhost.testkit;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Mapping;
import io.github.jvhost.sys.io.MemoryFile;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;

/**
 * The in-flight regions that a front end gave to one connection. The back end serves a ring in one
 * step, so no request is in flight between two steps. The regions hold only each ring's position.
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
   * Maps the regions that the front end sent back.
   *
   * @param file the regions' file; this method owns it, also when it fails
   * @throws VhostException when the regions are not inside the file
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
   * Called when a ring starts. If another back end has used its region, a packed ring continues at
   * the position in it: no other place holds that position.
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

  /** Called after rings were served. Writes each ring's position into its region. */
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
