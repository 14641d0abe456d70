package io.github.jvhost.vmstate;

import io.github.jvhost.virtio.VirtioNetState;

/**
 * Facts about a virtio-net section that are not in its bytes, as rows that take no bytes. A reader
 * gets them from its caller. A writer takes them from the state.
 */
final class SectionDraft {
  static final Row<VirtioNetState, SectionShape> SHAPE =
      Row.of("shape", Wire.none(SectionShape.mmio(1)), SectionShape::of);

  /**
   * Whether the number of queue pairs is unknown, but more than one. Then the number in the section
   * is used, and the number in the shape is ignored.
   */
  static final Row<VirtioNetState, Boolean> PAIRS_UNKNOWN =
      Row.of("pairs unknown", Wire.none(false), _ -> false);

  static final Row<VirtioNetState, RingDrafts> RINGS =
      Row.of("rings", Wire.none(RingDrafts.NONE), RingDrafts::of);

  private SectionDraft() {}

  /** A draft for a section that is read. */
  static Draft<VirtioNetState> empty(SectionShape shape, boolean pairsUnknown) {
    Draft<VirtioNetState> draft = Draft.empty();
    draft.set(SHAPE, shape);
    draft.set(PAIRS_UNKNOWN, pairsUnknown);
    draft.set(RINGS, RingDrafts.toRead(draft));
    return draft;
  }
}
