package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.PciCapabilities;
import io.github.jvhost.virtio.TransportState.Pci;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads a virtio-net section of which only the name is known. Only few shapes exist, and only one
 * of them ends at the section's footer.
 */
final class ShapeGuess {
  private ShapeGuess() {}

  private record Candidate(SectionShape shape, boolean severalPairs) {
    Draft<VirtioNetState> draft() {
      return SectionDraft.empty(shape, severalPairs);
    }

    /**
     * Whether the device may have this shape, given what was read of it. An error from a wrong
     * guess does not help people.
     */
    boolean isPlausible(Draft<VirtioNetState> read, VmStateException failure) {
      boolean express = shape.configSpace() == Pci.EXPRESS_CONFIG_SPACE;
      Bytes space = read.get(TransportRows.CONFIG_SPACE);
      boolean bus = space.size() == 0 || PciCapabilities.isExpress(space) == express;
      return bus && !(severalPairs && failure.path().endsWith("_queue_pairs"));
    }
  }

  /**
   * Reads the body from the reader's mark. Afterwards the reader is at the end of the body.
   *
   * @param footer number in the footer, which must follow
   * @throws VmStateException when no shape fits; it is that of the shape that was read furthest
   */
  static VirtioNetState read(VmReader in, NetSectionName name, int footer) {
    VmStateException closest = null;
    VmStateException implausible = null;
    for (Candidate candidate : candidates(name)) {
      in.rewind();
      Draft<VirtioNetState> draft = candidate.draft();
      try {
        VirtioNetState state = VirtioNetVmState.read(in, name.kind(), draft);
        SectionFooter.check(in, footer);
        return state;
      } catch (VmStateException e) {
        if (candidate.isPlausible(draft, e)) {
          closest = furthest(closest, e);
        } else {
          implausible = furthest(implausible, e);
        }
      }
    }
    VmStateException failure = closest == null ? implausible : closest;
    throw failure == null ? in.failure("a device on virtio-pci or virtio-mmio") : failure;
  }

  private static VmStateException furthest(@Nullable VmStateException a, VmStateException b) {
    return a == null || b.offset() > a.offset() ? b : a;
  }

  private static List<Candidate> candidates(NetSectionName name) {
    List<Candidate> candidates = new ArrayList<>();
    for (boolean several : new boolean[] {false, true}) {
      if (name.maybePci()) {
        candidates.add(new Candidate(SectionShape.pci(1, Pci.CONFIG_SPACE), several));
        candidates.add(new Candidate(SectionShape.pci(1, Pci.EXPRESS_CONFIG_SPACE), several));
      }
      if (name.maybeMmio()) {
        candidates.add(new Candidate(SectionShape.mmio(1), several));
      }
    }
    return candidates;
  }
}
