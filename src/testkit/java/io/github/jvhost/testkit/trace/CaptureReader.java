package io.github.jvhost.testkit.trace;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.github.jvhost.Bytes;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.Header;
import java.io.BufferedReader;
import java.io.IOException;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Reads a capture from {@link CaptureWriter}, and checks everything in it. It skips an incomplete
 * last line, which a crash can leave; {@link Capture#cutOff} is then true. Pure functions:
 * thread-safe.
 */
public final class CaptureReader {
  private static final int LONGEST_LINE = 1 << 16;
  private static final int MOST_ENTRIES = 1 << 22;
  private static final String NO_CAPTURE =
      "line 1: it is not that of a capture, as `jvhost proxy --save` writes one";

  private final JsonFactory factory = new JsonFactory();
  private final BufferedReader in;
  private int number;

  private CaptureReader(BufferedReader in) {
    this.in = in;
  }

  /**
   * Reads a capture to its end.
   *
   * @param in the capture; it stays the caller's
   * @return the whole capture, in the order of its lines
   * @throws VhostException (GIVE_UP) if it is no capture, has another version, or cannot be read;
   *     the message names the line
   */
  public static Capture read(BufferedReader in) {
    var reader = new CaptureReader(in);
    try {
      return reader.read();
    } catch (IOException e) {
      throw new VhostException(
          "behind line %d: %s".formatted(reader.number, e.getMessage()), Recovery.GIVE_UP, e);
    }
  }

  private Capture read() throws IOException {
    Map<String, String> head = head();
    Dialect dialect = dialect(head);
    var decoder = new MessageDecoder(dialect);
    List<CaptureEntry> entries = new ArrayList<>();
    boolean cutOff = false;
    String line = line();
    while (line != null) {
      number++;
      String next = line();
      // The line is incomplete: the program that wrote it was killed.
      cutOff = next == null && !line.isBlank() && !line.endsWith("}");
      if (!line.isBlank() && !cutOff) {
        entries.add(entry(members(line), decoder));
      }
      if (entries.size() > MOST_ENTRIES) {
        throw wrong("more than " + MOST_ENTRIES + " entries");
      }
      line = next;
    }
    try {
      return new Capture(
          head.getOrDefault("listen", ""),
          head.getOrDefault("connect", ""),
          Instant.parse(required(head, "started")),
          dialect,
          entries,
          cutOff);
    } catch (DateTimeParseException e) {
      throw wrong("'started' is no time");
    }
  }

  /**
   * Returns the next line, or null at the end. A line that is too long is cut, and its rest is not
   * read.
   */
  private @Nullable String line() throws IOException {
    var line = new StringBuilder();
    for (int next = in.read(); next != '\n'; next = in.read()) {
      if (next < 0) {
        return line.isEmpty() ? null : line.toString();
      }
      if (line.length() > LONGEST_LINE) {
        return line.toString();
      }
      line.append((char) next);
    }
    return line.toString();
  }

  /** Reads the first line, on which everything else depends. */
  private Map<String, String> head() throws IOException {
    number = 1;
    String first = line();
    if (first == null) {
      throw new VhostException("it is empty, and so is no capture", Recovery.GIVE_UP);
    }
    Map<String, String> head;
    try {
      head = members(first);
    } catch (VhostException e) {
      throw new VhostException(NO_CAPTURE, Recovery.GIVE_UP, e);
    }
    String version = head.get("jvhostCapture");
    if (version == null) {
      throw new VhostException(NO_CAPTURE, Recovery.GIVE_UP);
    }
    if (!version.equals(String.valueOf(CaptureWriter.VERSION))) {
      throw wrong(
          "it is a capture in version %s of the format, and only version %d is known here"
              .formatted(version, CaptureWriter.VERSION));
    }
    return head;
  }

  private Dialect dialect(Map<String, String> head) {
    String name = required(head, "dialect");
    String numbers = head.get("presetup");
    for (Dialect known : List.of(Dialect.UPSTREAM, Dialect.RFC_2023, Dialect.NVIDIA_QEMU_8_2)) {
      if (known.name().equals(name)) {
        return known;
      }
    }
    String[] parts = numbers == null ? new String[0] : numbers.split(",", -1);
    if (parts.length != 2) {
      throw wrong("the dialect '%s' is not known and has no numbers".formatted(name));
    }
    try {
      return Dialect.custom(name, Integer.parseInt(parts[0]), Integer.parseInt(parts[1]));
    } catch (IllegalArgumentException e) {
      throw wrong("its dialect: " + e.getMessage());
    }
  }

  private CaptureEntry entry(Map<String, String> members, MessageDecoder decoder) {
    long nanos = number(members, "ns", Long.MAX_VALUE);
    int session = (int) number(members, "session", Integer.MAX_VALUE);
    String event = members.get("event");
    if (event != null) {
      return new CaptureEvent(
          nanos, session, event.equals("connected"), members.getOrDefault("why", ""));
    }
    RelayRoute route = route(required(members, "way"));
    long held = number(members, "held", Long.MAX_VALUE - nanos);
    int size = (int) number(members, "size", Header.SIZE + Header.MAX_PAYLOAD);
    int descriptors = (int) number(members, "fds", Integer.MAX_VALUE);
    if ("true".equals(members.get("raw"))) {
      return decoder.raw(nanos, held, session, route, size, descriptors);
    }
    Bytes content;
    try {
      content = Bytes.copyOf(HexFormat.of().parseHex(members.getOrDefault("payload", "")));
    } catch (IllegalArgumentException e) {
      throw wrong("'payload' is not in hex");
    }
    if (content.size() != 0 && content.size() != size) {
      throw wrong("a payload of %d bytes, announced as %d".formatted(content.size(), size));
    }
    return decoder.message(
        nanos,
        held,
        session,
        route,
        (int) number(members, "id", 0xFFFF_FFFFL),
        (int) number(members, "flags", 0xFFFF_FFFFL),
        size,
        descriptors,
        content);
  }

  private RelayRoute route(String name) {
    return Stream.of(RelayRoute.values())
        .filter(route -> route.name().equals(name))
        .findFirst()
        .orElseThrow(() -> wrong("no such way: '" + name + "'"));
  }

  private String required(Map<String, String> members, String name) {
    String value = members.get(name);
    if (value == null) {
      throw wrong("'" + name + "' is missing");
    }
    return value;
  }

  private long number(Map<String, String> members, String name, long most) {
    String text = required(members, name);
    try {
      long value = Long.parseLong(text);
      if (value >= 0 && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // The exception is thrown below.
    }
    throw wrong("'%s' is %s, expected 0 to %d".formatted(name, text, most));
  }

  /** Reads one flat object. Joins the elements of an array with commas. */
  private Map<String, String> members(String line) throws IOException {
    if (line.length() > LONGEST_LINE) {
      throw wrong("it has more than " + LONGEST_LINE + " characters");
    }
    Map<String, String> members = new HashMap<>();
    try (JsonParser json = factory.createParser(line)) {
      if (json.nextToken() != JsonToken.START_OBJECT) {
        throw wrong("it is no JSON object");
      }
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String name = json.currentName();
        JsonToken token = json.nextToken();
        if (token == JsonToken.START_ARRAY) {
          List<String> elements = new ArrayList<>();
          while (json.nextToken() != null && json.currentToken().isScalarValue()) {
            elements.add(json.getText());
          }
          members.put(name, String.join(",", elements));
        } else if (token != null && token.isScalarValue()) {
          members.put(name, json.getText());
        } else {
          throw wrong("'" + name + "' is no plain value");
        }
      }
      return members;
    } catch (JacksonException e) {
      throw wrong("it is no JSON: " + e.getOriginalMessage());
    }
  }

  private VhostException wrong(String what) {
    return new VhostException("line %d: %s".formatted(number, what), Recovery.GIVE_UP);
  }
}
