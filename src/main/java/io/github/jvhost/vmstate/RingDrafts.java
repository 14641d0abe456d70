package io.github.jvhost.vmstate;

import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.SectionShape.Attachment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The rings of a device that is written or read: those that differ from unused ones. */
final class RingDrafts {
  /** The rings of nothing. */
  static final RingDrafts NONE = new RingDrafts(List.of(), null);

  private final List<@Nullable Draft<Ring>> drafts;

  /** The device that is read; null where it is written, and so has all of its rings. */
  private final @Nullable Draft<VirtioNetState> device;

  private RingDrafts(List<@Nullable Draft<Ring>> drafts, @Nullable Draft<VirtioNetState> device) {
    this.drafts = drafts;
    this.device = device;
  }

  /** Of a device that is read. */
  static RingDrafts toRead(Draft<VirtioNetState> device) {
    return new RingDrafts(new ArrayList<>(), device);
  }

  /** Of a device that is written. */
  static RingDrafts of(VirtioNetState state) {
    List<@Nullable Draft<Ring>> drafts = new ArrayList<>(state.queues().size());
    for (int i = 0; i < state.queues().size(); i++) {
      drafts.add(Draft.of(Ring.of(state, i)));
    }
    return new RingDrafts(drafts, null);
  }

  /** How many rings there are up to the last one that may differ from an unused one. */
  int size() {
    return drafts.size();
  }

  /** The ring at an index; null where it is an unused one. */
  @Nullable Draft<Ring> orNull(int index) {
    return index < drafts.size() ? drafts.get(index) : null;
  }

  /** The ring at an index; made when it is not there yet. */
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
   * @param sizesSaved whether default sizes were
   */
  List<SavedQueue> build(boolean sizesSaved) {
    List<SavedQueue> queues = new ArrayList<>();
    for (Draft<Ring> ring : drafts) {
      queues.add(ring == null ? SavedQueue.ABSENT : RingRows.build(ring, sizesSaved));
    }
    return queues;
  }
}
