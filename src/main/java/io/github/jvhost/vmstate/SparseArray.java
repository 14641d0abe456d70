package io.github.jvhost.vmstate;

import org.jspecify.annotations.Nullable;

/**
 * An array with a place for each of the {@value #PLACES} rings that virtio knows, of which a device
 * uses a handful. QEMU walks all of them; here the array is one block that is written at once and
 * compared at once, and only the places that differ from an unused ring are looked at.
 *
 * <pre>
 *   | ring 0 | ring 1 | ring 2 | unused | unused | ... | unused |
 *   \_______ looked at _______/\___________ in bulk ____________/
 * </pre>
 */
final class SparseArray implements Field.Codec<NetModel> {
  static final int PLACES = 1024;

  private final Description<QueueModel> element;
  private final int elementSize;
  private final byte[] unused;
  private final FieldType<NetModel> type;

  SparseArray(Description<QueueModel> element) {
    this.element = element;
    QueueModel unusedRing = new QueueModel(new NetModel(SectionShape.mmio(1)));
    this.type = FieldType.array(FieldType.Count.fixed(PLACES), m -> unusedRing, element);
    VmWriter writer = new VmWriter();
    element.write(writer, unusedRing, element.version());
    byte[] one = writer.toArray();
    this.elementSize = one.length;
    this.unused = new byte[PLACES * elementSize];
    for (int i = 0; i < PLACES; i++) {
      System.arraycopy(one, 0, unused, i * elementSize, elementSize);
    }
  }

  @Override
  public FieldType<NetModel> type() {
    return type;
  }

  @Override
  public void write(VmWriter out, NetModel model) {
    int start = out.position();
    out.background(unused);
    for (int i = 0; i < PLACES; i++) {
      @Nullable QueueModel queue = model.queueOrNull(i);
      if (queue != null) {
        out.position(start + i * elementSize);
        element.write(out, queue, element.version());
      }
    }
    out.position(start + unused.length);
  }

  @Override
  public void read(VmReader in, NetModel model) {
    in.need(unused.length);
    int at = 0;
    while (at < unused.length) {
      int same = in.sameAs(unused, at);
      int skipped = same - same % elementSize;
      in.skip(skipped);
      at += skipped;
      if (at < unused.length) {
        int index = at / elementSize;
        in.enter("[" + index + "]");
        element.read(in, model.queue(index), element.version());
        in.leave();
        at += elementSize;
      }
    }
  }
}
