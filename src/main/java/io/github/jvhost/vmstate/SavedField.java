package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.ArrayList;
import java.util.List;

/**
 * One field of a saved device with its value, for people and for scripts.
 *
 * @param group what it belongs to: "" for the device itself, "filters", "rss", "ring 3"
 * @param name within the group, in lower-case words: "next", "guest offloads"
 * @param value of it
 */
public record SavedField(String group, String name, Value value) {
  /**
   * {@return all fields of a state, those of a group one behind the other} Two lists of equal
   * states are equal.
   *
   * @param state of a device, early or final
   */
  public static List<SavedField> of(VirtioNetState state) {
    List<SavedField> fields = new ArrayList<>();
    List<View<VirtioNetState>> device = CommonRows.BODY.shown();
    for (View.Group group : View.Group.values()) {
      for (View<VirtioNetState> shown : device) {
        if (shown.group() == group) {
          add(fields, group.words(), shown, state);
        }
      }
    }
    for (int i = 0; i < state.queues().size(); i++) {
      for (View<Ring> shown : RingRows.SHOWN) {
        add(fields, "ring " + i, shown, Ring.of(state, i));
      }
    }
    return List.copyOf(fields);
  }

  private static <S> void add(List<SavedField> fields, String group, View<S> shown, S state) {
    Value value = shown.value().in(state);
    if (value != null) {
      fields.add(new SavedField(group, shown.name(), value));
    }
  }

  /** What a field can be. */
  public sealed interface Value {
    /** {@return whether it is what an unused field has: nothing, zero, false} */
    boolean isNothing();

    /** {@return the value on one line, for people; it may be empty} */
    String text();
  }

  /**
   * A number that is counted with.
   *
   * @param number told in decimal
   */
  public record Count(long number) implements Value {
    @Override
    public boolean isNothing() {
      return number == 0;
    }

    @Override
    public String text() {
      return Long.toString(number);
    }
  }

  /**
   * An address, or bits.
   *
   * @param bits told in hexadecimal, all 64 of them
   */
  public record Hex(long bits) implements Value {
    @Override
    public boolean isNothing() {
      return bits == 0;
    }

    @Override
    public String text() {
      return "0x" + Long.toHexString(bits);
    }
  }

  /**
   * Yes or no.
   *
   * @param set told as "yes", otherwise "no"
   */
  public record Flag(boolean set) implements Value {
    @Override
    public boolean isNothing() {
      return !set;
    }

    @Override
    public String text() {
      return set ? "yes" : "no";
    }
  }

  /**
   * A word or two.
   *
   * @param text on one line; "" where there is nothing to say
   */
  public record Text(String text) implements Value {
    @Override
    public boolean isNothing() {
      return text.isEmpty();
    }
  }

  /**
   * Several of something: features by name, addresses, entries of a table.
   *
   * @param names in the order in which the device has them; the list is copied
   */
  public record Names(List<String> names) implements Value {
    /** Copies the list. */
    public Names {
      names = List.copyOf(names);
    }

    @Override
    public boolean isNothing() {
      return names.isEmpty();
    }

    @Override
    public String text() {
      return names.isEmpty() ? "none" : String.join(", ", names);
    }
  }

  /**
   * Bytes that are not taken apart here.
   *
   * @param bytes as they are in the state
   */
  public record Raw(Bytes bytes) implements Value {
    @Override
    public boolean isNothing() {
      return bytes.equals(Bytes.zeros(bytes.size()));
    }

    @Override
    public String text() {
      return isNothing() ? bytes.size() + " bytes of zero" : bytes.size() + " bytes";
    }
  }

  /**
   * Bytes that mean something to nobody but a back end: how many there are is told, and not which.
   *
   * @param bytes as they are in the state, chunks joined
   */
  public record Opaque(Bytes bytes) implements Value {
    @Override
    public boolean isNothing() {
      return false;
    }

    @Override
    public String text() {
      return bytes.size() + " bytes";
    }
  }

  /** {@return the group and the name: "ring 3 next"} */
  public String path() {
    return group.isEmpty() ? name : group + " " + name;
  }
}
