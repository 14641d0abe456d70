package io.github.jvhost.report;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;

/**
 * Writes HTML and the SVG in it, element by element. Only this class escapes text and attribute
 * values. The names of elements and attributes are constants of this package. Not thread-safe.
 */
final class Html {
  private final StringBuilder out = new StringBuilder();
  private final Deque<String> open = new ArrayDeque<>();

  /** Opens an element, with attributes as name, value, name, value. */
  Html open(String element, Object... attributes) {
    tag(element, attributes);
    open.push(element);
    return this;
  }

  /** Closes the newest open element. */
  Html close() {
    out.append("</").append(open.pop()).append(">\n");
    return this;
  }

  /** Writes an empty element that closes itself, which SVG needs and HTML allows. */
  Html lone(String element, Object... attributes) {
    tag(element, attributes);
    out.insert(out.length() - 1, '/').append('\n');
    return this;
  }

  /** Writes an element with text in it. */
  Html element(String element, Object text, Object... attributes) {
    tag(element, attributes);
    text(text);
    out.append("</").append(element).append(">");
    return this;
  }

  /** Writes text. */
  Html text(Object text) {
    escape(String.valueOf(text));
    return this;
  }

  /** Writes HTML or a style without escaping. It must never come from a file. */
  Html raw(String ours) {
    out.append(ours);
    return this;
  }

  private void tag(String element, Object... attributes) {
    out.append('<').append(element);
    for (int i = 0; i < attributes.length; i += 2) {
      out.append(' ').append(attributes[i]).append("=\"");
      escape(
          attributes[i + 1] instanceof Double d
              ? String.format(Locale.ROOT, "%.3f", d)
              : String.valueOf(attributes[i + 1]));
      out.append('"');
    }
    out.append('>');
  }

  private void escape(String text) {
    text.codePoints()
        .forEach(c -> {
          switch (c) {
            case '&' -> out.append("&amp;");
            case '<' -> out.append("&lt;");
            case '>' -> out.append("&gt;");
            case '"' -> out.append("&quot;");
            case '\'' -> out.append("&#39;");
            default -> out.appendCodePoint(isFit(c) ? c : 0xFFFD);
          }
        });
  }

  /**
   * Returns true if a character may appear in the page. HTML does not allow control characters and
   * lone surrogates. Marks that change the direction of text could make one text look like another.
   */
  private static boolean isFit(int c) {
    boolean control = Character.isISOControl(c) && c != '\n' && c != '\t';
    boolean turnsAround = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
    return !control && !turnsAround && Character.getType(c) != Character.SURROGATE;
  }

  @Override
  public String toString() {
    return out.toString();
  }
}
