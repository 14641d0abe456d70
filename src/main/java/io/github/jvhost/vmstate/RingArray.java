package io.github.jvhost.vmstate;

import io.github.jvhost.virtio.VirtioNetState;
import java.util.Optional;

/**
 * An array of the rings of a device.
 *
 * @param count the number of rings
 * @param element the fields of one ring
 */
record RingArray(Row<VirtioNetState, Integer> count, Description<Ring> element)
    implements Field.Codec<VirtioNetState> {
  @Override
  public String words() {
    return count.name() + " x " + element.name();
  }

  @Override
  public Layout layout(Draft<VirtioNetState> draft) {
    int rings = draft.get(count);
    return rings == 0
        ? Layout.Group.NOTHING
        : new Layout.Array(
            element.layout(draft.get(SectionDraft.RINGS).at(0), element.version()), rings);
  }

  @Override
  public void write(VmWriter out, Draft<VirtioNetState> draft) {
    RingDrafts rings = draft.get(SectionDraft.RINGS);
    int number = draft.get(count);
    for (int i = 0; i < number; i++) {
      element.writeFields(out, rings.at(i), element.version());
    }
  }

  @Override
  public void read(VmReader in, Draft<VirtioNetState> draft) {
    RingDrafts rings = draft.get(SectionDraft.RINGS);
    int number = draft.get(count);
    for (int i = 0; i < number; i++) {
      in.enter("[" + i + "]");
      element.readFields(in, rings.at(i), element.version());
      in.leave();
    }
  }

  @Override
  public Optional<Description<?>> inner() {
    return Optional.of(element);
  }
}
