package io.github.jvhost.cli;

import io.github.jvhost.protocol.Dialect;
import java.util.Locale;

/** A dialect as --dialect takes it: "upstream", "40:99". */
final class DialectWord {
  private DialectWord() {}

  static String of(Dialect dialect) {
    return dialect.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
