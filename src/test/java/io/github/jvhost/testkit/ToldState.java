package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.List;

/**
 * Test aid: tells a {@link BackEndState} things in short words, and plays guest memory's used
 * indexes.
 */
final class ToldState {
  static final long USER = 0x7000_0000_0000L;
  static final MemoryRegionPayload RAM = new MemoryRegionPayload(0, 1 << 24, USER, 0);
  static final long FEATURES =
      VhostFeature.PROTOCOL_FEATURES
          | NetFeature.maskOf(NetFeature.VERSION_1, NetFeature.MRG_RXBUF, NetFeature.MQ);

  final int[] usedInMemory = new int[8];
  final List<Integer> reads = new ArrayList<>();
  final List<Effect.TranslationMissed> missed = new ArrayList<>();
  final BackEndState state;

  ToldState(BackEndOffer offer) {
    this(offer, new BackEndDevice());
  }

  ToldState(BackEndOffer offer, BackEndDevice device) {
    state =
        new BackEndState(
            offer,
            device,
            ring -> {
              reads.add(ring);
              return usedInMemory[ring];
            });
  }

  static ToldState of(Personality personality) {
    return new ToldState(BackEndOffer.of(personality).withQueuePairs(2));
  }

  static ToldState withPresetup(Personality personality) {
    return new ToldState(
        BackEndOffer.of(personality).withQueuePairs(2).withDialect(Dialect.custom("test", 40, 60)));
  }

  Outcome tell(FrontEndRequest request, Payload payload, int descriptors) {
    Outcome outcome = state.handle(request, payload, descriptors);
    for (Effect effect : outcome.effects()) {
      if (effect instanceof Effect.TranslationMissed miss) {
        missed.add(miss);
      }
    }
    return outcome;
  }

  ToldState done(FrontEndRequest request, Payload payload, int descriptors) {
    Outcome outcome = tell(request, payload, descriptors);
    assertThat(outcome.verdict())
        .as("%s %s: %s", request, payload, outcome.reason())
        .isEqualTo(Outcome.Verdict.DONE);
    return this;
  }

  /** Everything that is told once per connection and device, up to the memory table. */
  ToldState negotiated() {
    return protocol()
        .features(FEATURES)
        .done(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(RAM)), 1);
  }

  /** All protocol features that are offered, and the owner. */
  ToldState protocol() {
    return done(
            FrontEndRequest.SET_PROTOCOL_FEATURES,
            new U64(state.offer().offeredProtocolFeatures()),
            0)
        .done(FrontEndRequest.SET_OWNER, NoPayload.INSTANCE, 0);
  }

  ToldState features(long bits) {
    return done(FrontEndRequest.SET_FEATURES, new U64(bits), 0);
  }

  ToldState size(int ring) {
    return done(FrontEndRequest.SET_VRING_NUM, new VringState(ring, 256), 0);
  }

  ToldState base(int ring, int base) {
    return done(FrontEndRequest.SET_VRING_BASE, new VringState(ring, base), 0);
  }

  ToldState address(int ring) {
    return done(FrontEndRequest.SET_VRING_ADDR, place(ring, 0), 0);
  }

  ToldState kick(int ring) {
    return done(FrontEndRequest.SET_VRING_KICK, new VringDescriptor(ring, false), 1);
  }

  ToldState kickWithout(int ring) {
    return done(FrontEndRequest.SET_VRING_KICK, new VringDescriptor(ring, true), 0);
  }

  ToldState call(int ring) {
    return done(FrontEndRequest.SET_VRING_CALL, new VringDescriptor(ring, false), 1);
  }

  ToldState enable(int ring, boolean enabled) {
    return done(FrontEndRequest.SET_VRING_ENABLE, new VringState(ring, enabled ? 1 : 0), 0);
  }

  ToldState status(int status) {
    return done(FrontEndRequest.SET_STATUS, new U64(status), 0);
  }

  ToldState presetup(long value) {
    return done(FrontEndRequest.PRESETUP, new U64(value), 0);
  }

  /** Size, base, addresses, call, enable, kick: a ring in the order that suits every back end. */
  ToldState ring(int ring, int base) {
    return size(ring).base(ring, base).address(ring).call(ring).enable(ring, true).kick(ring);
  }

  int stop(int ring) {
    Outcome outcome = tell(FrontEndRequest.GET_VRING_BASE, new VringState(ring, 0), 0);
    assertThat(outcome.verdict()).isEqualTo(Outcome.Verdict.ANSWERED);
    return ((VringState) outcome.answer()).num();
  }

  boolean started(int ring) {
    return state.ring(ring).started();
  }

  int baseOf(int ring) {
    return state.ring(ring).base();
  }

  List<RuleBreach.Rule> breaches() {
    return state.violations().stream().map(RuleBreach::rule).toList();
  }

  static VringAddress place(int ring, int flags) {
    long at = USER + 0x10000L * ring;
    return new VringAddress(ring, flags, at, at + 0x3000, at + 0x2000, 0x10000L * ring + 0x3000);
  }
}
