package io.github.jvhost.vmstate;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Writes a migration stream as QEMU does, record by record. It writes a record of {@link
 * QemuStreamReader} as it was read. Guest memory goes from the reader to {@link #ram} while it is
 * read.
 *
 * <p>The caller decides the order of records. The writer neither flushes nor closes the stream. One
 * thread at a time. After a failed write the writer cannot be used any more.
 */
public final class QemuStreamWriter {
  private final OutputStream stream;
  private final VmWriter out = new VmWriter();
  private final List<DescribedSection> written = new ArrayList<>();
  private final RamSink ram = new RamWriter();
  private Layout.@Nullable Structure configuration;
  private @Nullable SectionHeader partOfMemory;

  /**
   * Writes the stream's header. Records follow.
   *
   * @param stream receives the bytes; the caller flushes and closes it
   */
  public QemuStreamWriter(OutputStream stream) {
    this.stream = stream;
    out.u32(QemuStreamReader.MAGIC);
    out.u32(QemuStreamReader.VERSION);
    drain("header");
  }

  /**
   * Writes a record. Does nothing for guest memory, which {@link #ram} has already written.
   *
   * <p>In the description of a stream that was read, this method changes, removes and adds the
   * entries of sections that were written differently. The rest of its text stays.
   *
   * @param record a record from a reader or from the caller
   * @throws IllegalStateException for memory that did not go through {@link #ram}
   * @throws VmStateException for a description that cannot be read
   * @throws VhostException when writing to the stream fails
   */
  public void write(StreamRecord record) {
    put(out, record);
    drain(record.getClass().getSimpleName());
  }

  /**
   * {@return the sink that writes guest memory} Pass it to a {@linkplain
   * QemuStreamReader.Builder#ram reader}.
   */
  public RamSink ram() {
    return ram;
  }

  /**
   * Writes a description of all sections in one piece that were written, with all fields of known
   * devices.
   *
   * @param pageSize bytes of a guest page
   */
  public void describe(int pageSize) {
    put(out, new StreamRecord.Description(DescribedSection.json(configuration, pageSize, written)));
    drain("description");
  }

  private void put(VmWriter to, StreamRecord record) {
    switch (record) {
      case StreamRecord.Configuration said -> {
        to.u8(QemuStreamReader.CONFIGURATION);
        ConfigurationRows.write(to, said);
        configuration = ConfigurationRows.layout(said);
      }
      case StreamRecord.Command command -> command(to, command.command(), command.data().toArray());
      case StreamRecord.Packaged packaged -> {
        VmWriter inside = new VmWriter();
        packaged.records().forEach(r -> put(inside, r));
        byte[] records = inside.toArray();
        command(
            to,
            StreamCommand.PACKAGED.code(),
            ByteBuffer.allocate(Integer.BYTES).putInt(records.length).array());
        to.bytes(records);
      }
      case StreamRecord.Section section -> section(to, section);
      case StreamRecord.EndOfStream _ -> to.u8(QemuStreamReader.END_OF_STREAM);
      case StreamRecord.Description description -> {
        byte[] json =
            DescribedSection.corrected(description.json(), written)
                .getBytes(StandardCharsets.UTF_8);
        to.u8(QemuStreamReader.DESCRIPTION);
        to.u32(json.length);
        to.bytes(json);
      }
    }
  }

  private static void command(VmWriter to, int code, byte[] data) {
    to.u8(QemuStreamReader.COMMAND);
    to.u16(code);
    to.u16(data.length);
    to.bytes(data);
  }

  private void section(VmWriter to, StreamRecord.Section section) {
    SectionHeader header = section.header();
    byte[] body =
        switch (section.body()) {
          case SectionBody.Ram _ -> {
            if (partOfMemory == null || !partOfMemory.equals(header)) {
              throw new IllegalStateException(
                  "memory is written while it is read: give ram() to the reader's builder");
            }
            partOfMemory = null;
            yield null;
          }
          case SectionBody.VirtioNet net -> VirtioNetVmState.encode(net.state());
          case SectionBody.Opaque opaque -> opaque.bytes().toArray();
        };
    if (body != null) {
      StreamSections.write(to, header);
      to.bytes(body);
      SectionFooter.write(to, header.id());
      if (header.part() == SectionHeader.Part.FULL) {
        written.add(new DescribedSection(header, section.body(), body.length));
      }
    }
  }

  private void drain(String what) {
    try {
      out.drainTo(stream);
    } catch (IOException e) {
      throw new VhostException(
          "writing a migration stream, at its " + what + ": " + e, Recovery.GIVE_UP, e);
    }
  }

  /** Writes the records of one part of memory at a time. */
  private final class RamWriter implements RamSink {
    private @Nullable SectionHeader writing;

    @Override
    public void begin(SectionHeader header) {
      if (writing != null) {
        throw new IllegalStateException("a part of memory before the one before has ended");
      }
      writing = header;
      StreamSections.write(out, header);
      drain("memory");
    }

    @Override
    public void accept(RamRecord record) {
      SectionHeader header = writing;
      if (header == null) {
        throw new IllegalStateException("a record of memory outside of a part");
      }
      put(record);
      if (record instanceof RamRecord.End) {
        SectionFooter.write(out, header.id());
        partOfMemory = header;
        writing = null;
      }
      drain("memory");
    }

    private void put(RamRecord record) {
      switch (record) {
        case RamRecord.Blocks blocks -> blocks(blocks.blocks());
        case RamRecord.Fill fill -> {
          place(fill.place(), RamFlag.ZERO);
          out.u8(fill.value());
        }
        case RamRecord.Page page -> {
          place(page.place(), RamFlag.PAGE);
          out.bytes(page.bytes());
        }
        case RamRecord.Delta delta -> {
          place(delta.place(), RamFlag.XBZRLE);
          out.u8(delta.encoding());
          out.u16(delta.delta().remaining());
          out.bytes(delta.delta());
        }
        case RamRecord.Compressed compressed -> {
          place(compressed.place(), RamFlag.COMPRESSED);
          out.u32(compressed.compressed().remaining());
          out.bytes(compressed.compressed());
        }
        case RamRecord.Flush _ -> out.u64(RamFlag.FLUSH);
        case RamRecord.End _ -> out.u64(RamFlag.END);
      }
    }

    private void place(RamRecord.Place place, int flag) {
      out.u64(place.offset() | flag | (place.named() ? 0 : RamFlag.CONTINUE));
      if (place.named()) {
        out.name(place.block());
      }
    }

    private void blocks(List<RamBlock> blocks) {
      out.u64(blocks.stream().mapToLong(RamBlock::length).sum() | RamFlag.MEM_SIZE);
      for (RamBlock block : blocks) {
        if (block.mapped().isPresent()) {
          throw new IllegalStateException("memory at fixed places of a file cannot be streamed");
        }
        out.name(block.name());
        out.u64(block.length());
        block.pageSize().ifPresent(out::u64);
        block.guestAddress().ifPresent(out::u64);
      }
    }
  }
}
