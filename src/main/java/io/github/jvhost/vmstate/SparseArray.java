package io.github.jvhost.vmstate;

import io.github.jvhost.virtio.VirtioNetState;
import java.util.Optional;

/**
 * An array with an element for each of the {@value #PLACES} rings of virtio. A device uses only a
 * few of them. QEMU walks all elements. This class writes and compares the array as one block, and
 * handles only the elements that differ from an unused ring.
 *
 * <pre>
 *   | ring 0 | ring 1 | ring 2 | unused | unused | ... | unused |
 *   \_______ looked at _______/\___________ in bulk ____________/
 * </pre>
 */
final class SparseArray implements Field.Codec<VirtioNetState> {
  static final int PLACES = 1024;

  private final Description<Ring> element;
  private final int elementSize;
  private final byte[] unused;

  SparseArray(Description<Ring> element) {
    this.element = element;
    VmWriter writer = new VmWriter();
    element.write(writer, Draft.empty(), element.version());
    byte[] one = writer.toArray();
    this.elementSize = one.length;
    this.unused = new byte[PLACES * elementSize];
    for (int i = 0; i < PLACES; i++) {
      System.arraycopy(one, 0, unused, i * elementSize, elementSize);
    }
  }

  @Override
  public String words() {
    return PLACES + " x " + element.name();
  }

  @Override
  public Layout layout(Draft<VirtioNetState> draft) {
    return new Layout.Array(element.layout(Draft.empty(), element.version()), PLACES);
  }

  @Override
  public Optional<Description<?>> inner() {
    return Optional.of(element);
  }

  @Override
  public void write(VmWriter out, Draft<VirtioNetState> draft) {
    int start = out.position();
    out.background(unused);
    RingDrafts rings = draft.get(SectionDraft.RINGS);
    for (int i = 0; i < rings.size(); i++) {
      out.position(start + i * elementSize);
      element.write(out, rings.at(i), element.version());
    }
    out.position(start + unused.length);
  }

  @Override
  public void read(VmReader in, Draft<VirtioNetState> draft) {
    in.need(unused.length);
    RingDrafts rings = draft.get(SectionDraft.RINGS);
    int at = 0;
    while (at < unused.length) {
      int same = in.sameAs(unused, at);
      int skipped = same - same % elementSize;
      in.skip(skipped);
      at += skipped;
      if (at < unused.length) {
        int index = at / elementSize;
        in.enter("[" + index + "]");
        element.read(in, rings.at(index), element.version());
        in.leave();
        at += elementSize;
      }
    }
  }
}
