package io.github.jvhost.cli;

import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * An amount of memory as people write it: "512M", "1G", "268435456".
 *
 * @param bytes how many, 1 or more
 */
record ByteSize(long bytes) {
  /** Converts an option's text for picocli. */
  static final class Converter implements ITypeConverter<ByteSize> {
    @Override
    public ByteSize convert(String text) {
      String upper = text.toUpperCase(Locale.ROOT);
      int shift =
          switch (upper.isEmpty() ? ' ' : upper.charAt(upper.length() - 1)) {
            case 'K' -> 10;
            case 'M' -> 20;
            case 'G' -> 30;
            default -> 0;
          };
      String digits = shift == 0 ? upper : upper.substring(0, upper.length() - 1);
      try {
        long bytes = Math.multiplyExact(Long.parseLong(digits), 1L << shift);
        if (bytes > 0) {
          return new ByteSize(bytes);
        }
        throw new NumberFormatException("the size is 0");
      } catch (ArithmeticException | NumberFormatException e) {
        throw new TypeConversionException("'" + text + "' is no size; write 512M or 1G");
      }
    }
  }
}
