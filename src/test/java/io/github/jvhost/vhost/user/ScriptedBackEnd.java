package io.github.jvhost.vhost.user;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.channel.LoopbackPair;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.sys.OwnedDescriptor;
import io.netty.buffer.Unpooled;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * A front end, and at its other end a peer that does what a test has written down for it, message
 * by message, on a thread of its own.
 */
final class ScriptedBackEnd implements AutoCloseable {
  /** What the peer does. */
  interface Part {
    void play(ScriptedBackEnd peer) throws Exception;
  }

  /** PRESETUP with numbers of its own, and nothing masked. */
  static final Dialect DIALECT = Dialect.custom("TEST", 40, 60);

  /** Everything that this front end speaks. */
  static final long ALL =
      (((1L << ProtocolFeature.values().length) - 1) & ~ProtocolFeature.XEN_MMAP.mask())
          | DIALECT.presetupMask();

  /** As much of it as stands together with postcopy, which memory slots rule out. */
  static final long WITH_POSTCOPY = ALL & ~ProtocolFeature.CONFIGURE_MEM_SLOTS.mask();

  final DescriptorLedger ledger = DescriptorLedger.tracing();
  final VhostUserFrontEnd frontEnd;
  private final LoopbackPair pair = LoopbackPair.open("dev0", DIALECT, ledger);
  private final List<OwnedDescriptor> arrived = new ArrayList<>();
  private final List<EventFd> events = new ArrayList<>();
  private @Nullable FutureTask<?> part;

  ScriptedBackEnd() {
    frontEnd = new VhostUserFrontEnd(pair.frontEnd(), Duration.ofSeconds(20));
    negotiated(ALL);
  }

  static Deadline soon() {
    return Deadline.in(20, TimeUnit.SECONDS);
  }

  /** Passes in every test that uses it. */
  static Deadline brief() {
    return Deadline.in(30, TimeUnit.MILLISECONDS);
  }

  VhostUserChannel channel() {
    return pair.frontEnd();
  }

  /** All that this message may be sent with. */
  static long allFor(FrontEndRequest request) {
    return switch (request) {
      case POSTCOPY_ADVISE, POSTCOPY_LISTEN, POSTCOPY_END -> WITH_POSTCOPY;
      default -> ALL;
    };
  }

  void negotiated(long protocolFeatures) {
    channel().negotiated(protocolFeatures);
  }

  /** An eventfd, closed with this object. */
  OwnedDescriptor event() {
    EventFd event = EventFd.create(ledger, "event of the test");
    events.add(event);
    return event.descriptor();
  }

  /** The peer begins its part. */
  ScriptedBackEnd plays(Part script) {
    part =
        new FutureTask<>(() -> {
          script.play(this);
          return null;
        });
    Thread.ofPlatform().daemon().name("scripted back end").start(part);
    return this;
  }

  /**
   * For the peer: the next message, which must be this one. Its descriptors are closed at the end.
   */
  Received expect(FrontEndRequest request) {
    Received received = pair.backEnd().receive(soon());
    arrived.addAll(received.descriptors());
    assertThat(DIALECT.requestOf(received.header().request())).contains(request);
    return received;
  }

  static Payload payload(FrontEndRequest request, Received received) {
    byte[] body = received.payload();
    return request.payload().decode(Unpooled.wrappedBuffer(body), body.length);
  }

  /** For the peer. */
  void answer(FrontEndRequest request, Payload payload, OwnedDescriptor... descriptors) {
    byte[] body = new byte[payload.size()];
    payload.encode(Unpooled.wrappedBuffer(body).clear());
    int id = DIALECT.idOf(request).orElseThrow();
    pair.backEnd().reply(id, Header.REPLY_FLAGS, body, List.of(descriptors), soon());
  }

  /** For the peer. */
  void raw(byte... bytes) {
    pair.backEnd().writeRaw(bytes, List.of(), soon());
  }

  /** For the peer, or for a test whose peer has nothing to do. */
  void hangUp() {
    pair.backEnd().close();
  }

  /** Waits until the peer has played its part, and says how it failed if it did. */
  void finished() {
    FutureTask<?> task = part;
    if (task == null) {
      return;
    }
    try {
      task.get(20, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw new AssertionError("the peer: " + e.getCause(), e.getCause());
    } catch (InterruptedException | TimeoutException e) {
      throw new AssertionError("the peer has not played its part", e);
    }
  }

  /** Closes everything; nothing may be left then. */
  @Override
  public void close() {
    pair.frontEnd().close();
    try {
      finished();
    } finally {
      pair.close();
      arrived.forEach(OwnedDescriptor::close);
      events.forEach(EventFd::close);
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** Features that let every message through. */
  static long features() {
    return VhostFeature.PROTOCOL_FEATURES | VhostFeature.IOMMU_PLATFORM | VhostFeature.LOG_ALL;
  }
}
