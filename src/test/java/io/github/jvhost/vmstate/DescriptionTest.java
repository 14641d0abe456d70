package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class DescriptionTest {
  private static final class Model {
    int number;
    int extra;
    boolean late;
    long wide;
  }

  private static final Description<Model> EXTRA =
      Description.<Model>named("thing/extra", 3)
          .minimum(2)
          .u8("extra", m -> m.extra, (m, v) -> m.extra = v)
          .since(3, g -> g.bool("late", m -> m.late, (m, v) -> m.late = v))
          .build();

  private static final Description<Model> THING =
      Description.<Model>named("thing", 1)
          .u16("number", m -> m.number, (m, v) -> m.number = v)
          .onlyIf(
              "number > 10",
              m -> m.number > 10,
              g -> g.halves("wide", m -> m.wide, (m, v) -> m.wide = v))
          .subsection("extra is not 0", EXTRA, m -> m.extra != 0)
          .build();

  @Test
  void aSubsectionIsWrittenOnlyWhenNeeded() {
    Model model = new Model();
    model.number = 7;

    assertThat(write(model)).containsExactly(0, 7);

    model.extra = 9;
    model.late = true;
    assertThat(write(model)).isEqualTo(bytes(0, 7, 5, 11, "thing/extra", 0, 0, 0, 3, 9, 1));
  }

  @Test
  void aFieldIsThereOnlyUnderItsCondition() {
    Model model = new Model();
    model.number = 11;
    model.wide = 0x1122334455667788L;

    byte[] written = write(model);

    assertThat(written).isEqualTo(bytes(0, 11, 0x55, 0x66, 0x77, 0x88, 0x11, 0x22, 0x33, 0x44));
    assertThat(read(written).wide).isEqualTo(model.wide);
  }

  @Test
  void anOlderVersionHasFewerFields() {
    Model model = read(bytes(0, 7, 5, 11, "thing/extra", 0, 0, 0, 2, 9));

    assertThat(model.extra).isEqualTo(9);
    assertThat(model.late).isFalse();
  }

  @Test
  void versionsOutsideOfTheRangeAreRefused() {
    assertThatThrownBy(() -> read(bytes(0, 7, 5, 11, "thing/extra", 0, 0, 0, 1, 9)))
        .isInstanceOf(VmStateException.class)
        .hasMessageContaining("thing/extra of version 2 to 3, it is 1");
    assertThatThrownBy(() -> read(bytes(0, 7, 5, 11, "thing/extra", 0, 0, 0, 4, 9)))
        .isInstanceOf(VmStateException.class)
        .hasMessageContaining("it is 4");
  }

  @Test
  void aByteFiveThatIsNotOursStays() {
    assertThat(consumed(bytes(0, 7, 5, 200, 1, 2, 3))).isEqualTo(2);
    assertThat(consumed(bytes(0, 7, 5))).isEqualTo(2);
    // A name no longer than the description's own cannot be one of its subsections.
    assertThat(consumed(bytes(0, 7, 5, 5, "thing", 0, 0, 0, 1))).isEqualTo(2);
    assertThat(consumed(bytes(0, 7, 5, 11, "other/extra", 0, 0, 0, 1))).isEqualTo(2);
  }

  @Test
  void aSubsectionOfOursThatNobodyKnowsIsAnError() {
    assertThatThrownBy(() -> read(bytes(0, 7, 5, 11, "thing/nosuc", 0, 0, 0, 1)))
        .isInstanceOf(VmStateException.class)
        .hasMessageContaining("thing/nosuc")
        .hasMessageContaining("one of the subsections of thing");
  }

  private static byte[] write(Model model) {
    VmWriter out = new VmWriter();
    THING.write(out, model, 1);
    return out.toArray();
  }

  private static Model read(byte[] bytes) {
    Model model = new Model();
    THING.read(new VmReader("test", ByteBuffer.wrap(bytes)), model, 1);
    return model;
  }

  private static int consumed(byte[] bytes) {
    VmReader in = new VmReader("test", ByteBuffer.wrap(bytes));
    THING.read(in, new Model(), 1);
    return (int) in.offset();
  }

  private static byte[] bytes(Object... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (Object part : parts) {
      if (part instanceof String text) {
        out.writeBytes(text.getBytes(StandardCharsets.ISO_8859_1));
      } else {
        out.write((Integer) part);
      }
    }
    return out.toByteArray();
  }
}
