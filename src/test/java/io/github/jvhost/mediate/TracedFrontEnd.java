package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.channel.backend.BackEndConnection;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.virtio.NetFeature;
import io.netty.buffer.Unpooled;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Says to a back end what a front end has said to another one. Like that front end it acknowledges
 * only what it is offered. Its guest memory is empty, but for the two indexes of each split ring,
 * which are the base: nothing waits in a ring.
 */
final class TracedFrontEnd implements AutoCloseable {
  private static final long PAGE = 4096;

  /** Two bytes behind the flags of an available or a used ring. */
  private static final int INDEX = 2;

  private final DescriptorLedger ledger;
  private final BackEndConnection connection; // it carries any messages, both ways
  private final EventFd eventfd;
  private final Map<Integer, Integer> bases = new HashMap<>();
  private List<MemoryRegionPayload> regions = List.of();
  private MemoryFile memory;
  private long offered;
  private long offeredProtocol;
  private boolean packed;

  TracedFrontEnd(Path socket, DescriptorLedger ledger) {
    this.ledger = ledger;
    connection = BackEndConnection.connect(socket, "traced", ledger, soon());
    eventfd = EventFd.create(ledger, "any signal");
    memory = MemoryFile.create(ledger, "guest memory", PAGE);
  }

  private static Deadline soon() {
    return Deadline.after(Duration.ofSeconds(20));
  }

  /** Plays a conversation, both sides, and ends with a question that was not part of it. */
  void play(List<TraceLine> lines) {
    for (TraceLine line : lines) {
      if (line.request() == FrontEndRequest.SET_BACKEND_REQ_FD
          && !ProtocolFeature.BACKEND_REQ.isIn(offeredProtocol)) {
        continue;
      }
      if (line.toBackEnd()) {
        say(line);
      } else {
        hear(line);
      }
    }
    send(FrontEndRequest.GET_FEATURES, NoPayload.INSTANCE, List.of(), false);
    assertThat(number(answerTo(FrontEndRequest.GET_FEATURES))).isEqualTo(offered);
  }

  private void say(TraceLine line) {
    Payload payload = line.payload();
    List<OwnedDescriptor> files =
        switch (payload) {
          case MemoryTablePayload table -> memoryOf(table);
          case LogRegion _ -> files(1, memory);
          default -> Collections.nCopies(line.descriptors(), eventfd.descriptor());
        };
    switch (payload) {
      case U64(long bits) when line.request() == FrontEndRequest.SET_FEATURES -> {
        packed = NetFeature.RING_PACKED.in(bits);
        payload = new U64(bits & offered);
      }
      case U64(long bits) when line.request() == FrontEndRequest.SET_PROTOCOL_FEATURES ->
          payload = new U64(bits & offeredProtocol);
      case VringState(int ring, int base) when line.request() == FrontEndRequest.SET_VRING_BASE ->
          bases.put(ring, base);
      case VringAddress address when !packed -> nothingWaitsIn(address);
      default -> {}
    }
    send(line.request(), payload, files, line.needsReply());
  }

  private void send(
      FrontEndRequest request, Payload payload, List<OwnedDescriptor> files, boolean needsReply) {
    byte[] bytes = new byte[payload.size()];
    payload.encode(Unpooled.wrappedBuffer(bytes).clear());
    int flags = Header.VERSION | (needsReply ? Header.NEED_REPLY : 0);
    connection.reply(id(request), flags, bytes, files, soon());
  }

  private static int id(FrontEndRequest request) {
    return Dialect.UPSTREAM.idOf(request).orElseThrow();
  }

  private void hear(TraceLine line) {
    byte[] answer = answerTo(line.request());
    switch (line.request()) {
      case GET_FEATURES -> offered = number(answer);
      case GET_PROTOCOL_FEATURES -> offeredProtocol = number(answer);
      case GET_QUEUE_NUM, GET_STATUS -> assertThat(answer).hasSize(Long.BYTES);
      case GET_VRING_BASE -> assertThat((int) number(answer)).isEqualTo(line.ring());
      case SET_LOG_BASE -> {} // how long its answer is differs
      default -> assertThat(number(answer)).as("%s", line).isZero();
    }
  }

  private byte[] answerTo(FrontEndRequest request) {
    Received received = connection.receive(soon());
    assertThat(received.descriptors()).isEmpty();
    assertThat(received.header().isReply()).isTrue();
    assertThat(received.header().request()).isEqualTo(id(request));
    return received.payload();
  }

  private static long number(byte[] answer) {
    assertThat(answer).hasSize(Long.BYTES);
    return ByteBuffer.wrap(answer).order(ByteOrder.nativeOrder()).getLong();
  }

  private List<OwnedDescriptor> memoryOf(MemoryTablePayload table) {
    long size = 0;
    for (MemoryRegionPayload region : table.regions()) {
      size = Math.max(size, region.mmapOffset() + region.size());
    }
    if (size > memory.size()) {
      memory.close();
      memory = MemoryFile.create(ledger, "guest memory", size);
    }
    regions = table.regions();
    return files(regions.size(), memory);
  }

  private static List<OwnedDescriptor> files(int count, MemoryFile file) {
    return new ArrayList<>(Collections.nCopies(count, file.descriptor()));
  }

  private void nothingWaitsIn(VringAddress address) {
    int base = bases.getOrDefault(address.index(), 0);
    putIndex(address.available(), base);
    putIndex(address.used(), base);
  }

  private void putIndex(long ring, int base) {
    for (MemoryRegionPayload region : regions) {
      long offset = ring - region.userAddress();
      if (offset >= 0 && offset < region.size()) {
        long at = offset + region.mmapOffset();
        try (var mapping = memory.map(at & -PAGE, PAGE)) {
          mapping
              .segment()
              .set(ValueLayout.JAVA_SHORT_UNALIGNED, (at & (PAGE - 1)) + INDEX, (short) base);
        }
      }
    }
  }

  @Override
  public void close() {
    connection.close();
    memory.close();
    eventfd.close();
  }
}
