package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.channel.BackEndGoneException;
import io.github.jvhost.channel.backend.Received;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.Postcopy.State;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Postcopy step by step, and what is refused on the way. */
class PostcopyTest {
  private static final MemoryRegionPayload LOW = region(0, 0x10_0000, 0x1000_0000L);
  private static final MemoryRegionPayload HIGH = region(0x1_0000_0000L, 0x20_0000, 0x2000_0000L);
  private static final MemoryRegionPayload LOW_THERE = region(0, 0x10_0000, 0x7f00_0000_0000L);
  private static final MemoryRegionPayload HIGH_THERE =
      region(0x1_0000_0000L, 0x20_0000, 0x7e00_0000_0000L);

  private final ScriptedBackEnd backEnd = new ScriptedBackEnd();
  private final Postcopy postcopy = new Postcopy(backEnd.frontEnd);

  private static MemoryRegionPayload region(long guest, long size, long user) {
    return new MemoryRegionPayload(guest, size, user, 0);
  }

  PostcopyTest() {
    backEnd.negotiated(ScriptedBackEnd.WITH_POSTCOPY);
  }

  @AfterEach
  void nothingIsLeft() {
    backEnd.close();
  }

  private static void toListening(ScriptedBackEnd peer) {
    peer.expect(FrontEndRequest.POSTCOPY_ADVISE);
    peer.answer(FrontEndRequest.POSTCOPY_ADVISE, NoPayload.INSTANCE, peer.event());
    assertThat(peer.expect(FrontEndRequest.POSTCOPY_LISTEN).header().needsReply()).isTrue();
    peer.answer(FrontEndRequest.POSTCOPY_LISTEN, new U64(0));
  }

  private static void map(ScriptedBackEnd peer, MemoryRegionPayload... answer) {
    Received received = peer.expect(FrontEndRequest.SET_MEM_TABLE);
    assertThat(received.header().needsReply()).isFalse();
    assertThat(received.descriptors()).hasSize(2);
    assertThat(ScriptedBackEnd.payload(FrontEndRequest.SET_MEM_TABLE, received))
        .isEqualTo(new MemoryTablePayload(List.of(LOW, HIGH)));
    peer.answer(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(answer)));
  }

  private static void end(ScriptedBackEnd peer, long answer) {
    peer.expect(FrontEndRequest.POSTCOPY_END);
    peer.answer(FrontEndRequest.POSTCOPY_END, new U64(answer));
  }

  private PostcopyBases memory() {
    OwnedDescriptor file = backEnd.event();
    return postcopy.memory(List.of(LOW, HIGH), List.of(file, file));
  }

  private void listen() {
    postcopy.advise().close();
    postcopy.listen();
  }

  @Test
  void fromAdviceToTheEnd() {
    backEnd.plays(peer -> {
      toListening(peer);
      map(peer, LOW_THERE, HIGH_THERE);
      Received goAhead = peer.expect(FrontEndRequest.SET_MEM_TABLE);
      assertThat(goAhead.payload()).isEqualTo(new byte[8]);
      assertThat(goAhead.header().needsReply()).isFalse();
      end(peer, 0);
    });

    try (OwnedDescriptor userfault = postcopy.advise()) {
      assertThat(userfault.isOpen()).isTrue();
      assertThat(postcopy.state()).isEqualTo(State.ADVISED);
      postcopy.listen();
      assertThat(postcopy.state()).isEqualTo(State.LISTENING);
      PostcopyBases bases = memory();
      assertThat(postcopy.state()).isEqualTo(State.MAPPED);
      assertThat(bases.guestAddress(0x7e00_0000_1000L)).hasValue(0x1_0000_1000L);
      assertThat(bases.backEndAddress(0x1000)).hasValue(0x7f00_0000_1000L);
      postcopy.goAhead();
      assertThat(postcopy.state()).isEqualTo(State.RUNNING);
      postcopy.end();
    }

    assertThat(postcopy.state()).isEqualTo(State.ENDED);
  }

  @Test
  void memoryIsToldAgainWhileItRuns() {
    backEnd.plays(peer -> {
      toListening(peer);
      for (int i = 0; i < 2; i++) {
        map(peer, LOW_THERE, HIGH_THERE);
        peer.expect(FrontEndRequest.SET_MEM_TABLE);
      }
      end(peer, 0);
    });

    listen();
    memory();
    postcopy.goAhead();
    memory();
    postcopy.goAhead();
    postcopy.end();
  }

  @Test
  void afterTheEndMemoryIsAcknowledgedAgain() {
    backEnd.plays(peer -> {
      toListening(peer);
      end(peer, 0);
      assertThat(peer.expect(FrontEndRequest.SET_MEM_TABLE).header().needsReply()).isTrue();
      peer.answer(FrontEndRequest.SET_MEM_TABLE, new U64(0));
    });
    listen();
    postcopy.end();

    backEnd.frontEnd.setMemTable(List.of(LOW), List.of(backEnd.event()));
  }

  @Test
  void stepsDoNotChangePlaces() {
    refuses(State.IDLE, postcopy::listen, this::memory, postcopy::goAhead, postcopy::end);
    backEnd.plays(peer -> {
      toListening(peer);
      map(peer, LOW_THERE, HIGH_THERE);
      peer.expect(FrontEndRequest.SET_MEM_TABLE);
      end(peer, 0);
    });
    postcopy.advise().close();
    refuses(State.ADVISED, postcopy::advise, this::memory, postcopy::goAhead);
    postcopy.listen();
    refuses(State.LISTENING, postcopy::advise, postcopy::listen, postcopy::goAhead);
    memory();
    refuses(State.MAPPED, postcopy::advise, postcopy::listen, this::memory, postcopy::end);
    postcopy.goAhead();
    refuses(State.RUNNING, postcopy::advise, postcopy::listen, postcopy::goAhead);
    postcopy.end();
    refuses(
        State.ENDED,
        postcopy::advise,
        postcopy::listen,
        this::memory,
        postcopy::goAhead,
        postcopy::end);
  }

  private void refuses(State state, Runnable... steps) {
    long before = backEnd.channel().messagesSent();
    for (Runnable step : steps) {
      assertThatThrownBy(step::run)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("dev0: postcopy is " + state.name().toLowerCase(Locale.ROOT));
    }
    assertThat(postcopy.state()).isEqualTo(state);
    assertThat(backEnd.channel().messagesSent()).isEqualTo(before);
  }

  @Test
  void memorySlotsRuleItOut() {
    backEnd.negotiated(ScriptedBackEnd.ALL);

    notToBeHad("CONFIGURE_MEM_SLOTS");
  }

  @Test
  void acknowledgementsAreNeeded() {
    backEnd.negotiated(ProtocolFeature.PAGEFAULT.mask());

    notToBeHad("REPLY_ACK");
  }

  @Test
  void theFeatureIsNeeded() {
    backEnd.negotiated(ProtocolFeature.REPLY_ACK.mask());

    notToBeHad("PAGEFAULT");
  }

  private void notToBeHad(String why) {
    assertThatThrownBy(postcopy::advise)
        .isInstanceOfSatisfying(
            VhostException.class, e -> assertThat(e.recovery()).isEqualTo(Recovery.GIVE_UP))
        .hasMessageContaining(why);
    assertThat(backEnd.channel().messagesSent()).isZero();
    assertThat(postcopy.state()).isEqualTo(State.IDLE);
  }

  @Test
  void aTableWithoutRegionsIsNotToldAsMemory() {
    backEnd.plays(PostcopyTest::toListening);
    listen();

    assertThatThrownBy(() -> postcopy.memory(List.of(), List.of()))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(postcopy.state()).isEqualTo(State.LISTENING);
  }

  static List<List<MemoryRegionPayload>> wrongTables() {
    return List.of(
        List.of(LOW_THERE),
        List.of(HIGH_THERE, LOW_THERE),
        List.of(LOW_THERE, region(0x1_0000_0000L, 0x10_0000, 0x7e00_0000_0000L)),
        List.of(LOW_THERE, region(0x1_0000_0000L, 0x20_0000, 0x7f00_0000_0000L)),
        List.of(LOW_THERE, region(0x1_0000_0000L, 0x20_0000, 0x7eff_fff0_0000L)));
  }

  @ParameterizedTest
  @MethodSource("wrongTables")
  void aTableThatIsNotTheOneThatWasToldIsNotBelieved(List<MemoryRegionPayload> answer) {
    backEnd.plays(peer -> {
      toListening(peer);
      map(peer, answer.toArray(MemoryRegionPayload[]::new));
    });
    listen();

    assertThatThrownBy(this::memory)
        .isInstanceOf(ProtocolException.class)
        .hasMessageContaining("SET_MEM_TABLE");
    assertThat(postcopy.state()).isEqualTo(State.LISTENING);
  }

  @Test
  void refusalsLeaveTheStateAsItWas() {
    backEnd.plays(peer -> {
      peer.expect(FrontEndRequest.POSTCOPY_ADVISE);
      peer.answer(FrontEndRequest.POSTCOPY_ADVISE, NoPayload.INSTANCE, peer.event());
      peer.expect(FrontEndRequest.POSTCOPY_LISTEN);
      peer.answer(FrontEndRequest.POSTCOPY_LISTEN, new U64(1));
      end(peer, 1);
    });
    postcopy.advise().close();

    assertThatThrownBy(postcopy::listen).isInstanceOf(BackEndRefusedException.class);
    assertThat(postcopy.state()).isEqualTo(State.ADVISED);
    assertThatThrownBy(postcopy::end).isInstanceOf(BackEndRefusedException.class);
    assertThat(postcopy.state()).isEqualTo(State.ADVISED);
  }

  @Test
  void aHangUpWhereTheTableShouldComeBackIsSaid() {
    backEnd.plays(peer -> {
      toListening(peer);
      peer.expect(FrontEndRequest.SET_MEM_TABLE);
      peer.hangUp();
    });
    listen();

    assertThatThrownBy(this::memory)
        .isInstanceOf(BackEndGoneException.class)
        .hasMessageContaining("SET_MEM_TABLE");
  }
}
