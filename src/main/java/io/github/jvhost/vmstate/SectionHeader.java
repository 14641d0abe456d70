package io.github.jvhost.vmstate;

import java.nio.charset.StandardCharsets;
import java.util.Objects;

/**
 * The bytes before a section's body. If a section comes in parts, only the first part has the name;
 * the other parts have the number of the section.
 *
 * <pre>
 *   | 01 or 04 | id u32 | n u8 | idstr n | instance u32 | version u32 |  body  | 7E | id u32 |
 *   | 02 or 03 | id u32 |                                                body  | 7E | id u32 |
 * </pre>
 *
 * @param part which part of the section it is
 * @param id number of the section, chosen by the source to identify the parts of a section (32
 *     bits)
 * @param idstr what is saved, at most 255 bytes: "ram", "0000:00:03.0/virtio-net"
 * @param instance distinguishes sections with the same idstr (32 bits)
 * @param version version of the body (32 bits)
 */
public record SectionHeader(Part part, int id, String idstr, int instance, int version) {
  /** Longest idstr, in bytes. */
  public static final int MAX_IDSTR = 255;

  /** Which part of a section. */
  public enum Part {
    /** The first of several. */
    START(1),
    /** One in the middle. */
    PART(2),
    /** The last. */
    END(3),
    /** The only one. */
    FULL(4);

    private final int code;

    Part(int code) {
      this.code = code;
    }

    static Part of(int code) {
      return values()[code - 1];
    }

    /** The record's type byte. */
    int code() {
      return code;
    }

    /** Whether it has a name. */
    boolean isNamed() {
      return this == START || this == FULL;
    }
  }

  /** Checks the ranges. */
  public SectionHeader {
    Objects.requireNonNull(part, "part");
    if (idstr.length() > MAX_IDSTR || !StandardCharsets.ISO_8859_1.newEncoder().canEncode(idstr)) {
      throw new IllegalArgumentException("idstr '" + idstr + "'");
    }
  }

  /**
   * {@return the header of a section in one piece}
   *
   * @param id number of the section, chosen by the source (32 bits)
   * @param idstr what is saved, at most {@value #MAX_IDSTR} bytes in ISO 8859-1
   * @param instance distinguishes sections with the same idstr (32 bits)
   * @param version version of the body (32 bits)
   */
  public static SectionHeader full(int id, String idstr, int instance, int version) {
    return new SectionHeader(Part.FULL, id, idstr, instance, version);
  }

  /**
   * {@return the header of another part of the same section}
   *
   * @param other which part
   */
  SectionHeader as(Part other) {
    return new SectionHeader(other, id, idstr, instance, version);
  }
}
