package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.ByteBuffer;

/**
 * Writes and reads the body of a virtio-net section as QEMU does, without the header and footer of
 * QEMU's stream. The early section has the same body under another name, and is sent while the
 * guest is still running.
 *
 * <p>Pure functions: thread-safe.
 */
public final class VirtioNetVmState {
  /** Version of both sections. */
  public static final int VERSION = 11;

  private static final Description<VirtioNetState> FINAL =
      Description.<VirtioNetState>named("virtio-net", VERSION)
          .struct("virtio", CommonRows.BODY)
          .build();

  private static final Description<VirtioNetState> EARLY =
      Description.<VirtioNetState>named("virtio-net-early", VERSION)
          .earlySetup()
          .struct("virtio-early", CommonRows.BODY)
          .build();

  private VirtioNetVmState() {}

  /**
   * {@return QEMU's name of a section of this kind (after the device's path, if it has one)}
   *
   * @param kind early or final
   */
  public static String sectionName(DeviceRecord.Kind kind) {
    return description(kind).name();
  }

  /**
   * {@return the body of a state, the same for both kinds of sections} Every state can be written.
   *
   * @param state of any shape
   */
  public static byte[] encode(VirtioNetState state) {
    VmWriter out = new VmWriter();
    FINAL.write(out, Draft.of(state), VERSION);
    return out.toArray();
  }

  /**
   * {@return the state of a body, which must fill the buffer}
   *
   * @param in holds the body from its position to its limit; the position moves to the limit
   * @param shape the parts of the layout that the body does not contain
   * @throws VmStateException when the bytes are not such a body; then the position stays
   */
  public static VirtioNetState decode(ByteBuffer in, SectionShape shape) {
    return decodeAll(FINAL, in, shape);
  }

  /**
   * {@return the state of the body of a modern or legacy device on virtio-mmio, which must fill the
   * buffer}
   *
   * @param in holds the body from its position to its limit; the position moves to the limit
   * @param maxQueuePairs 1 to 511
   * @throws VmStateException when the bytes are not such a body; then the position stays
   */
  public static VirtioNetState decode(ByteBuffer in, int maxQueuePairs) {
    return decode(in, SectionShape.mmio(maxQueuePairs));
  }

  /**
   * {@return the state of a body at the start of a buffer}
   *
   * @param in holds the body at its position, which moves to the end of the body
   * @param shape the parts of the layout that the body does not contain
   * @throws VmStateException when the bytes are not such a body; then the position stays
   */
  static VirtioNetState decodePrefix(ByteBuffer in, SectionShape shape) {
    return decodePrefix(FINAL, in, shape);
  }

  /**
   * {@return a state in this library's envelope}
   *
   * @param device its name, the same at both ends; 1 to {@value DeviceRecord#MAX_NAME} bytes as
   *     UTF-8
   * @param kind early or final
   * @param generation counts the changes that the source noticed, from 0
   * @param state becomes the body
   */
  public static DeviceRecord toRecord(
      String device, DeviceRecord.Kind kind, int generation, VirtioNetState state) {
    return new DeviceRecord(device, kind, generation, Bytes.copyOf(encode(state)));
  }

  /**
   * {@return the state of a record}
   *
   * @param deviceRecord early or final
   * @param shape the parts of the layout that the body does not contain
   * @throws VmStateException when the record has no such body
   */
  public static VirtioNetState fromRecord(DeviceRecord deviceRecord, SectionShape shape) {
    return decodeAll(description(deviceRecord.kind()), deviceRecord.body().asBuffer(), shape);
  }

  /** The layout of a section of this kind. */
  static Description<VirtioNetState> description(DeviceRecord.Kind kind) {
    return kind == kindOf(EARLY) ? EARLY : FINAL;
  }

  private static DeviceRecord.Kind kindOf(Description<VirtioNetState> description) {
    return description.earlySetup() ? DeviceRecord.Kind.EARLY : DeviceRecord.Kind.FINAL;
  }

  private static VirtioNetState decodeAll(
      Description<VirtioNetState> description, ByteBuffer in, SectionShape shape) {
    ByteBuffer all = in.duplicate();
    VirtioNetState state = decodePrefix(description, all, shape);
    if (all.hasRemaining()) {
      throw new VmStateException(
          description.name(),
          "",
          all.position() - in.position(),
          "the end, there are " + all.remaining() + " bytes more");
    }
    in.position(all.position());
    return state;
  }

  private static VirtioNetState decodePrefix(
      Description<VirtioNetState> description, ByteBuffer in, SectionShape shape) {
    VmReader reader = new VmReader(description.name(), in);
    VirtioNetState state = read(reader, description, SectionDraft.empty(shape, false));
    in.position(in.position() + (int) reader.offset());
    return state;
  }

  /**
   * The layout of what {@link #encode} writes, field by field. An early section has the same layout
   * under its own name.
   */
  static Layout.Structure layout(DeviceRecord.Kind kind, VirtioNetState state) {
    return description(kind).layout(Draft.of(state), VERSION);
  }

  /** Reads the state of a body in a stream. */
  static VirtioNetState read(VmReader in, DeviceRecord.Kind kind, Draft<VirtioNetState> into) {
    return read(in, description(kind), into);
  }

  private static VirtioNetState read(
      VmReader in, Description<VirtioNetState> description, Draft<VirtioNetState> draft) {
    description.read(in, draft, VERSION);
    try {
      return CommonRows.build(draft);
    } catch (IllegalArgumentException e) {
      throw in.failure("a state that is consistent with itself: " + e.getMessage());
    }
  }
}
