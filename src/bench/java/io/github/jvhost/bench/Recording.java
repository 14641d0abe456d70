package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What a front end has said to the back ends of a few devices: everything up to the stop window,
 * and the window. Immutable.
 *
 * @param devices one talk each
 */
record Recording(List<Talk> devices) {
  /** Bytes that one write may have: what the channel puts into one. */
  private static final int MAX_WRITE = 32 * 1024;

  Recording {
    devices = List.copyOf(devices);
  }

  /**
   * One message, or some that went in one write.
   *
   * @param bytes headers and payloads
   * @param descriptors how many went with the first byte
   * @param answers how many answers come
   */
  @SuppressWarnings("ArrayRecordComponent") // compared nowhere
  record Told(byte[] bytes, int descriptors, int answers) {}

  /**
   * What one device's back end was told.
   *
   * @param setUp message by message
   * @param window message by message
   */
  record Talk(List<Told> setUp, List<Told> window) {
    Talk {
      setUp = List.copyOf(setUp);
      window = List.copyOf(window);
    }

    /**
     * The window in the writes of {@code channel.Segment}: descriptors begin one, and plain
     * messages ride behind until it is full.
     */
    List<Told> writes() {
      List<Told> writes = new ArrayList<>();
      var bytes = new ByteArrayOutputStream();
      int descriptors = 0;
      int answers = 0;
      for (Told message : window) {
        boolean full = bytes.size() + message.bytes.length > MAX_WRITE;
        if (bytes.size() > 0 && (message.descriptors > 0 || full)) {
          writes.add(new Told(bytes.toByteArray(), descriptors, answers));
          bytes.reset();
          descriptors = 0;
          answers = 0;
        }
        bytes.writeBytes(message.bytes);
        descriptors += message.descriptors;
        answers += message.answers;
      }
      if (bytes.size() > 0) {
        writes.add(new Told(bytes.toByteArray(), descriptors, answers));
      }
      return writes;
    }
  }

  /** Messages in the windows of all devices. */
  int windowMessages() {
    return devices.stream().mapToInt(talk -> talk.window().size()).sum();
  }

  /** Writes in the windows of all devices. */
  int windowWrites() {
    return devices.stream().mapToInt(talk -> talk.writes().size()).sum();
  }

  /** Writes it down as peer.c reads it; the layout is drawn there. */
  void writeTo(Path file) {
    var out = new ByteArrayOutputStream();
    number(out, devices.size());
    for (Talk talk : devices) {
      number(out, talk.setUp.size());
      for (Told message : talk.setUp) {
        number(out, message.bytes.length);
        number(out, message.descriptors);
        number(out, message.answers);
        out.writeBytes(message.bytes);
      }
      List<Told> writes = talk.writes();
      number(out, writes.size());
      for (Told write : writes) {
        number(out, write.bytes.length);
        number(out, write.descriptors);
        out.writeBytes(write.bytes);
      }
      number(out, writes.stream().mapToInt(Told::answers).sum());
    }
    try {
      Files.write(file, out.toByteArray());
    } catch (IOException e) {
      throw new VhostException("writing " + file + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  private static void number(ByteArrayOutputStream out, int value) {
    out.writeBytes(
        ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.nativeOrder()).putInt(value).array());
  }
}
