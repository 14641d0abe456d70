package io.github.jvhost.cli;

import java.util.OptionalLong;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * The size and the address of RAM: "4G", "1G@0x40000000", "1G@2G".
 *
 * @param size how much
 * @param base its guest-physical address, 0 to 2^63-1; empty for the machine's own address
 */
record MemoryPlace(ByteSize size, OptionalLong base) {
  /** Converts an option's text for picocli. */
  static final class Converter implements ITypeConverter<MemoryPlace> {
    private final ByteSize.Converter sizes = new ByteSize.Converter();

    @Override
    public MemoryPlace convert(String text) {
      int at = text.indexOf('@');
      return at < 0
          ? new MemoryPlace(sizes.convert(text), OptionalLong.empty())
          : new MemoryPlace(
              sizes.convert(text.substring(0, at)),
              OptionalLong.of(address(text.substring(at + 1))));
    }

    private long address(String text) {
      if (text.equals("0")) {
        return 0;
      }
      try {
        boolean hex = text.startsWith("0x");
        return hex ? Long.parseLong(text, 2, text.length(), 16) : sizes.convert(text).bytes();
      } catch (NumberFormatException | TypeConversionException e) {
        throw new TypeConversionException("'" + text + "' is no address; write 0x40000000 or 1G");
      }
    }
  }
}
