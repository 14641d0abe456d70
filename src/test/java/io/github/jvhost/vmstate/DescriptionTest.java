package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class DescriptionTest {
  private record Thing(int number, int extra, boolean late, long wide) {}

  private static final Row<Thing, Integer> NUMBER = Row.of("number", Wire.U16, Thing::number);
  private static final Row<Thing, Integer> EXTRA = Row.of("extra", Wire.U8, Thing::extra);
  private static final Row<Thing, Boolean> LATE = Row.of("late", Wire.BOOL, Thing::late);
  private static final Row<Thing, Long> WIDE = Row.of("wide", Wire.HALVES, Thing::wide);

  private static final Description<Thing> THING =
      Description.<Thing>named("thing", 1)
          .rows(NUMBER)
          .onlyIf("number > 10", d -> d.get(NUMBER) > 10, g -> g.rows(WIDE))
          .subsection(
              "extra is not 0",
              Description.<Thing>named("thing/extra", 3)
                  .minimum(2)
                  .rows(EXTRA)
                  .since(3, g -> g.rows(LATE))
                  .build(),
              d -> d.get(EXTRA) != 0)
          .build();

  @Test
  void aSubsectionIsWrittenOnlyWhenNeeded() {
    assertThat(write(new Thing(7, 0, false, 0))).containsExactly(0, 7);
    assertThat(write(new Thing(7, 9, true, 0)))
        .isEqualTo(bytes(0, 7, 5, 11, "thing/extra", 0, 0, 0, 3, 9, 1));
  }

  @Test
  void aFieldIsThereOnlyUnderItsCondition() {
    Thing thing = new Thing(11, 0, false, 0x1122334455667788L);

    byte[] written = write(thing);

    assertThat(written).isEqualTo(bytes(0, 11, 0x55, 0x66, 0x77, 0x88, 0x11, 0x22, 0x33, 0x44));
    assertThat(read(written)).isEqualTo(thing);
  }

  @Test
  void anOlderVersionHasFewerFields() {
    Thing thing = read(bytes(0, 7, 5, 11, "thing/extra", 0, 0, 0, 2, 9));

    assertThat(thing.extra()).isEqualTo(9);
    assertThat(thing.late()).isFalse();
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

  private static byte[] write(Thing thing) {
    VmWriter out = new VmWriter();
    THING.write(out, Draft.of(thing), 1);
    return out.toArray();
  }

  private static Thing read(byte[] bytes) {
    Draft<Thing> draft = Draft.empty();
    THING.read(new VmReader("test", ByteBuffer.wrap(bytes)), draft, 1);
    return new Thing(draft.get(NUMBER), draft.get(EXTRA), draft.get(LATE), draft.get(WIDE));
  }

  private static int consumed(byte[] bytes) {
    VmReader in = new VmReader("test", ByteBuffer.wrap(bytes));
    THING.read(in, Draft.empty(), 1);
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
