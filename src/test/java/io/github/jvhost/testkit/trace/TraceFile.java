package io.github.jvhost.testkit.trace;

import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.PayloadKind;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What was heard on a socket between two real programs, where it lies next to the repository. */
final class TraceFile {
  static final Path TRACES = Path.of("..", "shared", "traces");

  //      0.0 us -> fd17  vh0        SET_VRING_CALL         fl=0x09 NEED_REPLY sz=8   fds=1 vq=0
  private static final Pattern MESSAGE =
      Pattern.compile(
          "\\s*-?[0-9.]+ us (->|<-) (?:fd\\d+\\s+)?(?:(vh\\w+)\\s+)?([A-Z_]+)\\s+"
              + "(fl=0x([0-9a-f]+)(?: [A-Z_]+)*\\s+sz=(\\d+)\\s+fds=(\\d+)\\s*(.*?))\\s*");

  private static final Pattern REMARK = Pattern.compile("(?:\\s*-?[0-9.]+ us )?#+ (.*)");
  private static final Pattern FIELD = Pattern.compile("\\b([a-z0-9]+)=(0x)?([0-9a-f]+)\\b");
  private static final Pattern REGION = Pattern.compile("\\[([^\\]]*)]");

  private TraceFile() {}

  sealed interface Entry {}

  /** What happened outside of the socket. */
  record Remark(String text) implements Entry {}

  /**
   * One message.
   *
   * @param device as the file calls it, empty where there is only one
   * @param toBackEnd its direction
   * @param text everything from its name on, as one line
   */
  record Message(
      String device,
      boolean toBackEnd,
      String name,
      int flags,
      int size,
      int descriptors,
      String payload,
      String text)
      implements Entry {
    /** The payload's bytes, as far as the line has them. */
    Payload decode(PayloadKind kind) {
      return switch (kind) {
        case NONE -> NoPayload.INSTANCE;
        case U64 -> new U64(field(payload, "u64"));
        case VRING_STATE -> new VringState((int) field(payload, "vq"), (int) field(payload, "num"));
        case VRING_DESCRIPTOR ->
            new VringDescriptor((int) field(payload, "vq"), payload.contains("nofd"));
        case VRING_ADDRESS ->
            new VringAddress(
                (int) field(payload, "vq"),
                (int) field(payload, "flags"),
                field(payload, "desc"),
                field(payload, "used"),
                field(payload, "avail"),
                field(payload, "log"));
        case LOG -> new LogRegion(field(payload, "size"), field(payload, "off"));
        case MEMORY_TABLE ->
            new MemoryTablePayload(REGION.matcher(payload).results().map(Message::region).toList());
        default -> throw new IllegalArgumentException("no trace has a " + kind + ": " + text);
      };
    }

    private static MemoryRegionPayload region(MatchResult match) {
      String region = match.group(1);
      return new MemoryRegionPayload(
          field(region, "gpa"), field(region, "size"), field(region, "uva"), field(region, "off"));
    }
  }

  static long field(String text, String name) {
    Matcher field = FIELD.matcher(text);
    while (field.find()) {
      if (field.group(1).equals(name)) {
        return Long.parseUnsignedLong(field.group(3), field.group(2) == null ? 10 : 16);
      }
    }
    throw new IllegalArgumentException("no " + name + " in: " + text);
  }

  /** All lines of a file. */
  static List<Entry> read(String name) {
    List<Entry> entries = new ArrayList<>();
    try {
      for (String line : Files.readAllLines(TRACES.resolve(name))) {
        entries.add(parse(line));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return entries;
  }

  static Entry parse(String line) {
    Matcher remark = REMARK.matcher(line);
    if (remark.matches()) {
      return new Remark(remark.group(1));
    }
    Matcher m = MESSAGE.matcher(line);
    if (!m.matches()) {
      throw new IllegalArgumentException("no line of a trace: " + line);
    }
    return new Message(
        m.group(2) == null ? "" : m.group(2),
        m.group(1).equals("->"),
        m.group(3),
        Integer.parseInt(m.group(5), 16),
        Integer.parseInt(m.group(6)),
        Integer.parseInt(m.group(7)),
        m.group(8),
        (m.group(3) + " " + m.group(4)).replaceAll("\\s+", " ").strip());
  }
}
