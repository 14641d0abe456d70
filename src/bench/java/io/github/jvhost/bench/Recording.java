package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What a front end has said to the back ends of a few devices: a set-up, then one or more phases
 * such as presetup and the stop window. Immutable.
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
   * @param phases each message by message; as many for each device
   */
  record Talk(List<Told> setUp, List<List<Told>> phases) {
    Talk {
      setUp = List.copyOf(setUp);
      phases = phases.stream().map(List::copyOf).toList();
    }

    /**
     * A phase in the writes of {@code channel.Messages}: descriptors begin one, and plain messages
     * ride behind until it is full.
     */
    static List<Told> writes(List<Told> phase) {
      List<Told> writes = new ArrayList<>();
      var bytes = new ByteArrayOutputStream();
      int descriptors = 0;
      int answers = 0;
      for (Told message : phase) {
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

  /**
   * The same, but each base in a phase is followed by a kick and a call. That is what a front end
   * sends in the window that has preset both without descriptors, as the patches of 2023 do.
   */
  Recording withKicksAndCalls() {
    return new Recording(
        devices.stream()
            .map(talk ->
                new Talk(
                    talk.setUp, talk.phases.stream().map(Recording::withKicksAndCalls).toList()))
            .toList());
  }

  private static List<Told> withKicksAndCalls(List<Told> phase) {
    List<Told> window = new ArrayList<>();
    for (Told told : phase) {
      window.add(told);
      ByteBuffer message = ByteBuffer.wrap(told.bytes).order(ByteOrder.nativeOrder());
      if (message.getInt() == id(FrontEndRequest.SET_VRING_BASE)) {
        int ring = message.getInt(Header.SIZE);
        window.add(withEventfd(FrontEndRequest.SET_VRING_KICK, ring));
        window.add(withEventfd(FrontEndRequest.SET_VRING_CALL, ring));
      }
    }
    return window;
  }

  private static Told withEventfd(FrontEndRequest request, int ring) {
    ByteBuffer message =
        ByteBuffer.allocate(Header.SIZE + Long.BYTES)
            .order(ByteOrder.nativeOrder())
            .putInt(id(request))
            .putInt(Header.VERSION)
            .putInt(Long.BYTES)
            .putLong(ring);
    return new Told(message.array(), 1, 0);
  }

  private static int id(FrontEndRequest request) {
    return request.fixedId().orElseThrow();
  }

  /** A phase in words. */
  String describe(int phase) {
    return "%d messages in %d writes"
        .formatted(
            devices.stream().mapToInt(talk -> talk.phases.get(phase).size()).sum(),
            devices.stream().mapToInt(talk -> Talk.writes(talk.phases.get(phase)).size()).sum());
  }

  /** Writes it down as peer.c reads it; the layout is drawn there. */
  void writeTo(Path file) {
    var out = new ByteArrayOutputStream();
    number(out, devices.size());
    number(out, devices.getFirst().phases.size());
    for (Talk talk : devices) {
      number(out, talk.setUp.size());
      for (Told message : talk.setUp) {
        number(out, message.bytes.length);
        number(out, message.descriptors);
        number(out, message.answers);
        out.writeBytes(message.bytes);
      }
      for (List<Told> phase : talk.phases) {
        List<Told> writes = Talk.writes(phase);
        number(out, writes.size());
        for (Told write : writes) {
          number(out, write.bytes.length);
          number(out, write.descriptors);
          out.writeBytes(write.bytes);
        }
        number(out, writes.stream().mapToInt(Told::answers).sum());
      }
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
