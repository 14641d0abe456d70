package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.ArrayList;
import java.util.List;

/**
 * One field of a saved device and its value, for people and for scripts.
 *
 * @param group the group of the field: "" for the device itself, "filters", "rss", "ring 3"
 * @param name the name within the group, in lower-case words: "next", "guest offloads"
 * @param value the value
 */
public record SavedField(String group, String name, Value value) {
  /**
   * {@return all fields of a state, ordered by group} The lists of two equal states are equal.
   *
   * @param state the state of a device, early or final
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

  /** The kinds of values. */
  public sealed interface Value {
    /** {@return whether it is the value of an unused field: nothing, zero, false} */
    boolean isNothing();

    /** {@return the value on one line, for people; it may be empty} */
    String text();
  }

  /**
   * A number that is a quantity.
   *
   * @param number shown in decimal
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
   * @param bits shown in hexadecimal, all 64 bits
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
   * @param set whether it is shown as "yes", otherwise as "no"
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
   * @param text on one line; "" for no text
   */
  public record Text(String text) implements Value {
    @Override
    public boolean isNothing() {
      return text.isEmpty();
    }
  }

  /**
   * A list: names of features, addresses, entries of a table.
   *
   * @param names in the order of the device; the list is copied
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
   * Bytes that this library does not interpret.
   *
   * @param bytes the bytes in the state
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
   * Bytes that only a back end interprets. Only their number is shown.
   *
   * @param bytes the bytes in the state, chunks joined
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
