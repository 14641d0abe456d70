package io.github.jvhost.channel;

import static io.github.jvhost.channel.ChannelPair.soon;

import io.github.jvhost.channel.BackEndRequestHandler.Answer;
import io.github.jvhost.channel.backend.BackEndRequester;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;

/** A back-end channel, the scripted back end at its far end, and what was handed on. */
final class BackEndPair implements AutoCloseable {
  static final long EVERYTHING = -1L;

  final DescriptorLedger ledger;
  final BackEndChannel channel;
  final BackEndRequester backEnd;
  final List<BackEndRequest> handled = new ArrayList<>();
  final List<Payload> payloads = new ArrayList<>();
  Answer answer = Answer.DONE;

  /** What the handler does besides. */
  Runnable action = () -> {};

  private BackEndPair(Dialect dialect, DescriptorLedger ledger) {
    this.ledger = ledger;
    BackEndChannel.Opened opened = BackEndChannel.open("net0", dialect, ledger, this::handle);
    channel = opened.channel();
    backEnd = BackEndRequester.adopt(opened.theirs(), "peer", ledger);
    channel.negotiated(EVERYTHING);
    channel.negotiatedFeatures(VhostFeature.IOMMU_PLATFORM);
  }

  static BackEndPair open() {
    return new BackEndPair(Dialect.UPSTREAM, DescriptorLedger.tracing());
  }

  static BackEndPair open(Dialect dialect, DescriptorLedger ledger) {
    return new BackEndPair(dialect, ledger);
  }

  private Answer handle(
      BackEndRequest request, Payload payload, List<OwnedDescriptor> descriptors) {
    handled.add(request);
    payloads.add(payload);
    action.run();
    boolean nothingFound =
        request == BackEndRequest.SHARED_OBJECT_LOOKUP && answer.descriptor() == null;
    return nothingFound ? Answer.REFUSED : answer;
  }

  static byte[] bytes(Payload payload) {
    byte[] bytes = new byte[payload.size()];
    payload.encode(Unpooled.wrappedBuffer(bytes).clear());
    return bytes;
  }

  static byte[] message(int id, int flags, byte[] payload) {
    byte[] bytes = new byte[Header.SIZE + payload.length];
    Header.encode(Unpooled.wrappedBuffer(bytes).clear(), id, flags, payload.length);
    System.arraycopy(payload, 0, bytes, Header.SIZE, payload.length);
    return bytes;
  }

  void ask(BackEndRequest request, byte[] payload, OwnedDescriptor... descriptors) {
    backEnd.send(request, payload, List.of(descriptors), true, soon());
    channel.serveAvailable();
  }

  @Override
  public void close() {
    channel.close();
    backEnd.close();
  }
}
