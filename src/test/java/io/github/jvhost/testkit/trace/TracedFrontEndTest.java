package io.github.jvhost.testkit.trace;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Header;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.BackEndState;
import io.github.jvhost.testkit.Outcome;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.RingView;
import io.github.jvhost.testkit.RuleBreach;
import io.github.jvhost.testkit.trace.TraceFile.Entry;
import io.github.jvhost.testkit.trace.TraceFile.Message;
import io.github.jvhost.testkit.trace.TraceFile.Remark;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What real front ends told a real DPDK, told to our mock with DPDK's personality and offer: it
 * refuses nothing, answers what DPDK answered, and serves a ring wherever DPDK did.
 */
class TracedFrontEndTest {
  /** What DPDK 22.11 offers. */
  private static final long FEATURES = 0xd7c66e7cbL;

  private static final long PROTOCOL_FEATURES = 0x10cbf;

  /** The mock has 64 at most; DPDK says 128 whatever it was started with. */
  private static final int QUEUE_PAIRS = 64;

  /** One connection: the mock's state, and what the trace lets us know of guest memory. */
  private static final class Session {
    private final int[] told = new int[2 * QUEUE_PAIRS];
    private final boolean[] served = new boolean[2 * QUEUE_PAIRS];
    // Every buffer that was taken has been used by the time a ring is stopped, so that the used
    // index in memory is the base that is told next.
    private final BackEndState state =
        new BackEndState(
            BackEndOffer.of(Personality.DPDK)
                .withFeatures(FEATURES)
                .withProtocolFeatures(PROTOCOL_FEATURES)
                .withQueuePairs(QUEUE_PAIRS),
            ring -> told[ring]);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "life_q2.txt",
        "g1r1.src.all.txt",
        "g1r1.dst.connect.txt g1r1.dst.mig.txt",
        "nq2r1.src.all.txt",
        "nq2r1.dst.connect.txt nq2r1.dst.mig.txt",
        "packed.src.all.txt",
        "g1r1.dst.connect.txt packed.dst.mig.txt",
        "vuser-mq2.txt",
      })
  void theMockAnswersAsDpdkDid(String files) {
    List<Entry> entries = new ArrayList<>();
    for (String file : files.split(" ", -1)) {
      assumeTrue(Files.exists(TraceFile.TRACES.resolve(file)), "no trace " + file);
      entries.addAll(TraceFile.read(file));
    }
    Map<String, List<Message>> byDevice = new LinkedHashMap<>();
    int connection = 0;
    for (Entry entry : entries) {
      switch (entry) {
        case Remark(String text) -> connection += text.startsWith("new backend") ? 1 : 0;
        case Message m ->
            byDevice.computeIfAbsent(m.device() + "/" + connection, _ -> new ArrayList<>()).add(m);
      }
    }

    assertThat(byDevice).isNotEmpty();
    byDevice.forEach((name, messages) -> replay(files + " " + name, messages));
  }

  private static void replay(String name, List<Message> messages) {
    Session session = new Session();
    for (int i = 0; i < messages.size(); i++) {
      Message message = messages.get(i);
      if (message.toBackEnd()) {
        Message next = i + 1 < messages.size() ? messages.get(i + 1) : message;
        tell(name + " message " + i + ": " + message.text(), session, message, next);
      }
    }
    // QEMU clears the status before it asks the last pair where its rings have got to. DPDK minds
    // as little as the mock; jvhost does it afterwards, and has a rule that holds it to that.
    assertThat(session.state.violations())
        .as(name)
        .allMatch(breach -> breach.rule() == RuleBreach.Rule.RESET_WHILE_STARTED);
  }

  private static void tell(String what, Session session, Message message, Message next) {
    FrontEndRequest request = FrontEndRequest.valueOf(message.name());
    Payload payload = message.decode(request.payload());
    assertThat(payload.size()).as(what).isEqualTo(message.size());
    boolean answered = !next.toBackEnd();
    BackEndState state = session.state;

    Outcome outcome = state.handle(request, payload, message.descriptors());

    assertThat(outcome.reason()).as(what).isEmpty();
    boolean asked =
        (message.flags() & Header.NEED_REPLY) != 0
            && ProtocolFeature.REPLY_ACK.isIn(state.protocolFeatures());
    assertThat(outcome.verdict() == Outcome.Verdict.ANSWERED || asked)
        .as("%s: answered", what)
        .isEqualTo(answered);
    if (answered) {
      assertThat(next.name()).as(what).isEqualTo(message.name());
      compareAnswer(what, session, request, outcome, next);
    }
    if (request == FrontEndRequest.SET_VRING_BASE && payload instanceof VringState base) {
      // Of a packed ring DPDK keeps the avail half alone.
      session.told[base.index()] = base.num() & 0xffff;
      session.served[base.index()] = false;
    }
    for (int ring = 0; ring < session.served.length; ring++) {
      RingView view = state.ring(ring);
      session.served[ring] |= view.started() && view.enabled();
    }
  }

  private static void compareAnswer(
      String what, Session session, FrontEndRequest request, Outcome outcome, Message reply) {
    boolean explicit = outcome.verdict() == Outcome.Verdict.ANSWERED;
    Payload ours = explicit ? outcome.answer() : new U64(0);
    assertThat(reply.flags()).as(what).isEqualTo(Header.REPLY_FLAGS);
    assertThat(ours.size()).as("%s: size of the answer", what).isEqualTo(reply.size());
    switch (request) {
      case GET_QUEUE_NUM ->
          assertThat(TraceFile.field(reply.payload(), "u64")).as(what).isEqualTo(128);
      case GET_VRING_BASE -> {
        VringState theirs = (VringState) reply.decode(ours.kind());
        int ring = theirs.index();
        // No traffic in ours: the base is the one that was told. Theirs may have gone on, but
        // only where ours serves the ring too.
        assertThat(ours).as(what).isEqualTo(new VringState(ring, session.told[ring]));
        assertThat(session.served[ring] || theirs.num() == session.told[ring])
            .as("%s: DPDK answered %d", what, theirs.num())
            .isTrue();
      }
      default -> {
        if (reply.size() > 0) {
          assertThat(ours).as(what).isEqualTo(reply.decode(ours.kind()));
        }
      }
    }
  }
}
