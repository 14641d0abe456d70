package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.vmstate.UnknownSectionException.Reason;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Reads a migration stream as QEMU writes it (version 3, machine types from 2.4 on: with footers),
 * record by record.
 *
 * <pre>
 *   try (var in = ...) {
 *     QemuStreamReader reader = QemuStreamReader.builder().open(in);
 *     for (var next = reader.next(); next.isPresent(); next = reader.next()) { ... }
 *   }
 * </pre>
 *
 * <p>Sections have no length. The reader decodes guest memory and virtio-net devices. It passes on
 * all other sections as bytes. It finds the end of such a section in the description at the end of
 * the stream; for this it holds the rest of the stream in memory (up to 256 MiB). Without a
 * description, a {@link SectionHandler} finds the end.
 *
 * <p>A stream is not trusted: if anything in it is invalid, the reader throws a {@link
 * VmStateException} and cannot be used any more. It does not close the stream. One thread at a
 * time.
 */
public final class QemuStreamReader {
  /** "QEVM". */
  static final int MAGIC = 0x5145564D;

  /** The version of the stream's format. The previous one is from 2008. */
  static final int VERSION = 3;

  static final int END_OF_STREAM = 0x00;
  static final int DESCRIPTION = 0x06;
  static final int CONFIGURATION = 0x07;
  static final int COMMAND = 0x08;

  private static final String STREAM = "stream";
  private static final String RAM = "ram";

  /** QEMU's limit for a package, in bytes. */
  private static final int MAX_PACKAGE = 1 << 24;

  private enum State {
    START,
    /** The configuration may follow. */
    BEGUN,
    RECORDS,
    ENDED,
    DESCRIBED
  }

  private final VmReader in;
  private final Builder with;
  private final RamReader ram;
  private final StreamSections sections = new StreamSections();
  private @Nullable StreamDescription description;
  private boolean descriptionSought;
  private State state = State.START;
  private @Nullable SectionHeader footerOf;

  private QemuStreamReader(VmReader in, Builder with) {
    this.in = in;
    this.with = with;
    this.ram = new RamReader(with.ram);
  }

  /** {@return a builder for a reader} */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * {@return the next record; empty after the last} A description may follow {@link
   * StreamRecord.EndOfStream}. A caller that reads from an open link and expects no description
   * must not call this after the end of the stream: it would wait.
   *
   * @throws VmStateException when the bytes are not a valid record
   */
  public Optional<StreamRecord> next() {
    in.section(STREAM);
    if (footerOf != null) {
      SectionFooter.read(in, footerOf.id());
      footerOf = null;
      in.unmark();
    }
    return switch (state) {
      case START -> {
        start();
        yield Optional.of(record(in));
      }
      case BEGUN, RECORDS -> Optional.of(record(in));
      case ENDED -> description();
      case DESCRIBED -> Optional.empty();
    };
  }

  /**
   * {@return the bytes of the body of the section that {@link #next} returned last} It is empty for
   * guest memory, for a package and for any other record.
   */
  public Bytes lastBody() {
    return footerOf == null ? Bytes.EMPTY : Bytes.copyOf(in.sinceMark());
  }

  /**
   * Checks that the stream ends after its last record.
   *
   * @throws VmStateException when bytes follow
   */
  public void expectEnd() {
    in.section(STREAM);
    if (!in.atEnd()) {
      throw in.failure("nothing more behind the last record");
    }
  }

  private void start() {
    in.enter("magic");
    if (in.u32() != MAGIC) {
      throw in.wrong("a migration stream, which begins with QEVM");
    }
    in.leave();
    in.enter("version");
    int version = in.u32();
    if (version != VERSION) {
      throw in.wrong("version " + VERSION + " of the stream, not " + version);
    }
    in.leave();
    state = State.BEGUN;
  }

  private StreamRecord record(VmReader from) {
    int type = from.u8();
    boolean first = state == State.BEGUN;
    state = State.RECORDS;
    return switch (type) {
      case END_OF_STREAM -> {
        if (from != in) {
          throw from.wrong("commands and sections in a package, no end of the stream");
        }
        state = State.ENDED;
        yield new StreamRecord.EndOfStream();
      }
      case 1, 2, 3, 4 -> section(from, SectionHeader.Part.of(type));
      case CONFIGURATION -> {
        if (!first) {
          throw from.wrong("the configuration once, in front of everything else");
        }
        from.section("configuration");
        StreamRecord.Configuration configuration = ConfigurationRows.read(from);
        ram.configure(configuration);
        yield configuration;
      }
      case COMMAND -> command(from);
      default ->
          throw from.wrong("the type of a record, 00 to 04, 07 or 08, not %02x".formatted(type));
    };
  }

  private StreamRecord command(VmReader from) {
    from.section("command");
    int code = from.u16();
    int length = from.u16();
    Optional<StreamCommand> known = StreamCommand.of(code);
    if (known.isPresent() && !known.get().takes(length)) {
      throw from.wrong(
          "%s with %s, there are %d".formatted(known.get(), known.get().expectedData(), length));
    }
    if (known.orElse(null) == StreamCommand.PACKAGED) {
      return packaged(from);
    }
    byte[] data = from.bytes(length);
    if (known.orElse(null) == StreamCommand.POSTCOPY_ADVISE && length == 2 * Long.BYTES) {
      ByteBuffer sizes = ByteBuffer.wrap(data);
      ram.advise(sizes.getLong(), sizes.getLong());
    }
    return new StreamRecord.Command(code, Bytes.copyOf(data));
  }

  private StreamRecord packaged(VmReader from) {
    int length = from.u32();
    if (from != in || length < 0 || length > MAX_PACKAGE) {
      throw from.wrong(
          "a package of at most %d bytes that is in no other, not %d"
              .formatted(MAX_PACKAGE, Integer.toUnsignedLong(length)));
    }
    long offset = from.offset();
    VmReader inside = new VmReader("package", ByteBuffer.wrap(from.bytes(length)), offset);
    List<StreamRecord> records = new ArrayList<>();
    while (!inside.atEnd()) {
      inside.section("package");
      records.add(record(inside));
    }
    return new StreamRecord.Packaged(records);
  }

  private StreamRecord section(VmReader from, SectionHeader.Part part) {
    SectionHeader header = sections.read(from, part);
    if (header.idstr().equals(RAM)) {
      from.enter("version");
      if (header.version() != RamReader.VERSION) {
        throw from.wrong("version " + RamReader.VERSION + ", it is " + header.version());
      }
      from.leave();
      ram.read(from, header);
      SectionFooter.read(from, header.id());
      return new StreamRecord.Section(header, new SectionBody.Ram());
    }
    from.mark();
    SectionBody body = body(from, header);
    from.section(header.idstr());
    SectionFooter.check(from, header.id());
    if (from == in) {
      // The footer is read later: until then the body is between the mark and this position.
      footerOf = header;
    } else {
      SectionFooter.read(from, header.id());
      from.unmark();
    }
    return new StreamRecord.Section(header, body);
  }

  private SectionBody body(VmReader from, SectionHeader header) {
    Optional<NetSectionName> net = NetSectionName.parse(header.idstr());
    boolean ours = net.map(name -> name.maybePci() || name.maybeMmio()).orElse(false);
    if (ours && header.part() == SectionHeader.Part.FULL) {
      NetSectionName name = net.orElseThrow();
      if (header.version() != VirtioNetVmState.VERSION) {
        from.enter("version");
        throw from.wrong("version " + VirtioNetVmState.VERSION + ", it is " + header.version());
      }
      Optional<SectionShape> known = with.shape.apply(header);
      return new SectionBody.VirtioNet(
          known.isPresent()
              ? VirtioNetVmState.read(from, name.kind(), SectionDraft.empty(known.get(), false))
              : ShapeGuess.read(from, name, header.id()));
    }
    SectionHandler handler = with.handlers.get(header.idstr());
    if (handler != null) {
      handler.pass(header, new SectionInput(from));
      return new SectionBody.Opaque(Bytes.copyOf(from.sinceMark()));
    }
    return new SectionBody.Opaque(Bytes.copyOf(from.view(describedSize(from, header))));
  }

  private long describedSize(VmReader from, SectionHeader header) {
    if (header.part() != SectionHeader.Part.FULL) {
      throw new UnknownSectionException(
          from.failure("a handler for this section, which comes in parts: nothing says how long"),
          Reason.IN_PARTS);
    }
    StreamDescription found = seekDescription(from);
    if (found == null) {
      throw new UnknownSectionException(
          from.failure(
              "a handler for this section: the stream has no description that says how long it is"),
          Reason.NO_DESCRIPTION);
    }
    return found
        .entry(header)
        .orElseThrow(() ->
            new UnknownSectionException(
                from.failure(
                    "a handler for this section: the description at the end does not have instance "
                        + header.instance()
                        + " of it"),
                Reason.NOT_DESCRIBED))
        .size();
  }

  private @Nullable StreamDescription seekDescription(VmReader from) {
    if (!descriptionSought) {
      descriptionSought = true;
      Optional<ByteBuffer> rest = in.rest();
      if (rest.isEmpty()) {
        throw new UnknownSectionException(
            from.failure(
                "a handler for this section: the description is more than "
                    + VmReader.MAX_HELD
                    + " bytes further on"),
            Reason.TOO_FAR);
      }
      Optional<String> json = StreamDescription.find(rest.get());
      try {
        description = json.isPresent() ? StreamDescription.parse(json.get()) : null;
      } catch (IOException e) {
        throw new UnknownSectionException(
            from.failure("a readable description at the end of the stream: " + oneLine(e)),
            Reason.NO_DESCRIPTION);
      }
    }
    return description;
  }

  /** The first line of the parser's message. The second line is the position in its source. */
  private static String oneLine(IOException e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
  }

  private Optional<StreamRecord> description() {
    if (in.atEnd()) {
      state = State.DESCRIBED;
      return Optional.empty();
    }
    in.section("description");
    int type = in.u8();
    if (type != DESCRIPTION) {
      throw in.wrong("the end, or the description of the stream, not a record " + type);
    }
    byte[] json = in.bytes(Integer.toUnsignedLong(in.u32()));
    state = State.DESCRIBED;
    try {
      return Optional.of(
          new StreamRecord.Description(
              StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(json)).toString()));
    } catch (CharacterCodingException e) {
      throw in.failure("text in UTF-8");
    }
  }

  /** What is known of the stream in advance, and the sink for guest memory. */
  public static final class Builder {
    private final Map<String, SectionHandler> handlers = new HashMap<>();
    private RamSink ram = RamSink.SKIP;
    private Function<SectionHeader, Optional<SectionShape>> shape = header -> Optional.empty();

    private Builder() {}

    /**
     * Sets the sink for guest memory. Without a sink the reader skips it.
     *
     * @param sink called by {@link QemuStreamReader#next} while it reads
     * @return this
     */
    public Builder ram(RamSink sink) {
      ram = sink;
      return this;
    }

    /**
     * Sets what is known of virtio-net devices. If the shape of a section is not known, the reader
     * tries all shapes until one fits.
     *
     * @param known returns the shape of the device of a section, early or final; empty if it is not
     *     known
     * @return this
     */
    public Builder shape(Function<SectionHeader, Optional<SectionShape>> known) {
      shape = known;
      return this;
    }

    /**
     * Sets a handler that finds the end of sections with a name. It is needed if the stream's
     * description does not have their length. Once set, it is always called. It is never called for
     * guest memory and virtio-net devices.
     *
     * @param idstr the name in the section's header
     * @param handler called for each section of that name, and for each of its parts; it replaces
     *     an earlier handler for the name
     * @return this
     */
    public Builder handler(String idstr, SectionHandler handler) {
      handlers.put(idstr, handler);
      return this;
    }

    /**
     * {@return a reader of a stream from its current position} It reads large pieces.
     *
     * @param stream the caller closes it; the reader may take more bytes from it than the records
     *     need
     */
    public QemuStreamReader open(InputStream stream) {
      return new QemuStreamReader(new VmReader(STREAM, stream), this);
    }

    /**
     * {@return a reader of a stream in memory}
     *
     * @param stream read from its position to its limit; neither moves
     */
    public QemuStreamReader open(ByteBuffer stream) {
      return new QemuStreamReader(new VmReader(STREAM, stream), this);
    }
  }
}
