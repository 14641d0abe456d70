package io.github.jvhost.vmstate;

import io.github.jvhost.virtio.VirtioNetState;

/**
 * What is known of a virtio-net section beside its bytes: rows that take none. A reader is given
 * them, a writer finds them in the state.
 */
final class SectionDraft {
  static final Row<VirtioNetState, SectionShape> SHAPE =
      Row.of("shape", Wire.none(SectionShape.mmio(1)), SectionShape::of);

  /**
   * The section has more than one queue pair, but nobody knows how many: it says so itself, and the
   * shape's number does not count.
   */
  static final Row<VirtioNetState, Boolean> PAIRS_UNKNOWN =
      Row.of("pairs unknown", Wire.none(false), _ -> false);

  static final Row<VirtioNetState, RingDrafts> RINGS =
      Row.of("rings", Wire.none(RingDrafts.NONE), RingDrafts::of);

  private SectionDraft() {}

  /** Of a section that is to be read. */
  static Draft<VirtioNetState> empty(SectionShape shape, boolean pairsUnknown) {
    Draft<VirtioNetState> draft = Draft.empty();
    draft.set(SHAPE, shape);
    draft.set(PAIRS_UNKNOWN, pairsUnknown);
    draft.set(RINGS, RingDrafts.toRead(draft));
    return draft;
  }
}
