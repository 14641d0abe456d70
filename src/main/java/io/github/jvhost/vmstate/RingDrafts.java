package io.github.jvhost.vmstate;

import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.SectionShape.Attachment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The drafts of the rings of a device that is written or read. Only rings that differ from unused
 * rings have a draft.
 */
final class RingDrafts {
  /** No rings. */
  static final RingDrafts NONE = new RingDrafts(List.of(), null);

  private final List<@Nullable Draft<Ring>> drafts;

  /** The device that is read; null for a device that is written, whose drafts are complete. */
  private final @Nullable Draft<VirtioNetState> device;

  private RingDrafts(List<@Nullable Draft<Ring>> drafts, @Nullable Draft<VirtioNetState> device) {
    this.drafts = drafts;
    this.device = device;
  }

  /** Drafts for a device that is read. */
  static RingDrafts toRead(Draft<VirtioNetState> device) {
    return new RingDrafts(new ArrayList<>(), device);
  }

  /** Drafts for a device that is written. */
  static RingDrafts of(VirtioNetState state) {
    List<@Nullable Draft<Ring>> drafts = new ArrayList<>(state.queues().size());
    for (int i = 0; i < state.queues().size(); i++) {
      drafts.add(Draft.of(Ring.of(state, i)));
    }
    return new RingDrafts(drafts, null);
  }

  /** The number of rings up to the last one that may differ from an unused ring. */
  int size() {
    return drafts.size();
  }

  /** The draft of a ring; null for an unused ring. */
  @Nullable Draft<Ring> orNull(int index) {
    return index < drafts.size() ? drafts.get(index) : null;
  }

  /** The draft of a ring. It is created if it does not exist. */
  Draft<Ring> at(int index) {
    Draft<Ring> there = orNull(index);
    if (there != null || device == null) {
      return Objects.requireNonNull(there);
    }
    while (drafts.size() <= index) {
      drafts.add(null);
    }
    Draft<Ring> made = Draft.empty();
    made.set(RingRows.MMIO, device.get(SectionDraft.SHAPE).attachment() == Attachment.MMIO);
    made.set(RingRows.VECTORS, device.get(TransportRows.VECTORS));
    drafts.set(index, made);
    return made;
  }

  /**
   * The rings that were read.
   *
   * @param sizesSaved whether default sizes were saved
   */
  List<SavedQueue> build(boolean sizesSaved) {
    List<SavedQueue> queues = new ArrayList<>();
    for (Draft<Ring> ring : drafts) {
      queues.add(ring == null ? SavedQueue.ABSENT : RingRows.build(ring, sizesSaved));
    }
    return queues;
  }
}
