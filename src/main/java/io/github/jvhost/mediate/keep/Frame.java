package io.github.jvhost.mediate.keep;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** One frame between a keeper and its client. The description of this package draws it. */
sealed interface Frame {
  int HEADER_BYTES = 8;

  /** The longest text, in bytes; no frame is longer than header and text. */
  int LONGEST_TEXT = StoredName.LONGEST;

  /** The descriptor that comes with it goes under this name. */
  record Put(String name) implements Frame {}

  /** The descriptor of this name shall be closed. */
  record Remove(String name) implements Frame {}

  /** The first entry after this name is wanted; the first of all after the empty text. */
  record Next(String after) implements Frame {}

  /** It was done; or there is no further entry. */
  record Done() implements Frame {}

  /** The descriptor that comes with it has this name. */
  record Entry(String name) implements Frame {}

  /** It was not done, for this reason. */
  record Refused(String reason) implements Frame {}

  /** {@return its number in the header} */
  private int kind() {
    return switch (this) {
      case Put _ -> 1;
      case Remove _ -> 2;
      case Next _ -> 3;
      case Done _ -> 4;
      case Entry _ -> 5;
      case Refused _ -> 6;
    };
  }

  /** {@return its text, "" where it has none} */
  private String text() {
    return switch (this) {
      case Put(String name) -> name;
      case Remove(String name) -> name;
      case Next(String after) -> after;
      case Done() -> "";
      case Entry(String name) -> name;
      case Refused(String reason) -> reason;
    };
  }

  /** {@return whether exactly one descriptor comes with it; with the others comes none} */
  default boolean carriesDescriptor() {
    return this instanceof Put || this instanceof Entry;
  }

  /** {@return its bytes} */
  default byte[] encoded() {
    byte[] text = text().getBytes(StandardCharsets.US_ASCII);
    return ByteBuffer.allocate(HEADER_BYTES + text.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(Header.MAGIC)
        .put((byte) Header.VERSION)
        .put((byte) kind())
        .putShort((short) text.length)
        .put(text)
        .array();
  }

  /**
   * The first eight bytes of a frame.
   *
   * @param kind not checked yet
   * @param length of the text in bytes, at most {@link #LONGEST_TEXT}
   */
  record Header(int kind, int length) {
    /** "jvkp" as it is on the wire, read as a number. */
    static final int MAGIC = 0x706b766a;

    static final int VERSION = 1;

    /**
     * {@return the header}
     *
     * @param bytes {@link #HEADER_BYTES} of them
     * @throws VhostException (GIVE_UP) if it is none, or of another version
     */
    static Header decode(byte[] bytes) {
      ByteBuffer fields = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
      if (fields.getInt() != MAGIC) {
        throw wrong(
            "it does not begin as one; something else than a keeper or its client is there");
      }
      int version = Byte.toUnsignedInt(fields.get());
      if (version != VERSION) {
        throw wrong("it is of version %d, and this is version %d".formatted(version, VERSION));
      }
      int kind = Byte.toUnsignedInt(fields.get());
      int length = Short.toUnsignedInt(fields.getShort());
      if (length > LONGEST_TEXT) {
        throw wrong("its text has %d bytes, at most %d".formatted(length, LONGEST_TEXT));
      }
      return new Header(kind, length);
    }

    /**
     * {@return the frame that begins with this header}
     *
     * @param bytes the text, as long as the header says
     * @throws VhostException (GIVE_UP) if kind or text are none
     */
    Frame with(byte[] bytes) {
      // A byte that is not ASCII becomes a character that is not printable ASCII either.
      String text = new String(bytes, StandardCharsets.ISO_8859_1);
      return switch (kind) {
        case 1 -> new Put(name(text));
        case 2 -> new Remove(name(text));
        case 3 -> new Next(text.isEmpty() ? text : name(text));
        case 4 -> {
          if (!text.isEmpty()) {
            throw wrong("a DONE has no text");
          }
          yield new Done();
        }
        case 5 -> new Entry(name(text));
        case 6 -> {
          if (!StoredName.isPrintable(text)) {
            throw wrong("the reason is no printable ASCII");
          }
          yield new Refused(text);
        }
        default -> throw wrong("its kind is " + kind);
      };
    }

    private static String name(String text) {
      if (!StoredName.isValid(text)) {
        throw wrong(
            "the name is empty, or has other characters than printable ASCII without colon");
      }
      return text;
    }

    private static VhostException wrong(String what) {
      return new VhostException("reading a keeper's frame: " + what, Recovery.GIVE_UP);
    }
  }
}
