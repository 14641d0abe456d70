package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import java.util.List;

/**
 * One field of a saved device with its value, for people and for scripts.
 *
 * @param group what it belongs to: "" for the device itself, "filters", "rss", "ring 3"
 * @param name within the group, in lower-case words: "next", "guest offloads"
 * @param value of it
 */
public record SavedField(String group, String name, Value value) {

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
