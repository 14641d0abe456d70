package io.github.jvhost.testkit.trace;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.Bytes;
import io.github.jvhost.channel.backend.RelayRoute;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A capture of two sessions at DPDK 22.11's vhost: DPDK's virtio-user with two queue pairs, then
 * QEMU 7.2 with one, whose firmware used the device.
 */
class TracedSessionTest {
  private static List<TracedSession> sessions() throws IOException {
    return TracedSession.of(capture());
  }

  private static Capture capture() throws IOException {
    try (InputStream in =
        Objects.requireNonNull(
            TracedSessionTest.class.getResourceAsStream("/captures/testpmd.jsonl"))) {
      return CaptureReader.read(
          new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8)));
    }
  }

  private static String counts(PhaseCost cost) {
    return "%s %d %d %d".formatted(cost.phase(), cost.messages(), cost.replies(), cost.waits());
  }

  @Test
  void messagesBelongToPhases() throws Exception {
    List<TracedSession> sessions = sessions();

    assertThat(sessions).hasSize(2);
    assertThat(sessions.getFirst().costs())
        .extracting(TracedSessionTest::counts)
        .containsExactly(
            "NEGOTIATE 4 2 2", "CONFIGURE 12 4 4", "START 18 1 1", "RUN 0 0 0", "STOP 8 4 4");
    assertThat(sessions.getLast().costs())
        .extracting(TracedSessionTest::counts)
        .containsExactly(
            "NEGOTIATE 7 5 5", "CONFIGURE 21 2 2", "START 9 1 1", "RUN 0 0 0", "STOP 3 2 2");
  }

  @Test
  @Timeout(60)
  void sessionsByTheHundredThousandAreGroupedOnce() {
    int sessions = 200_000;
    var decoder = new MessageDecoder(Dialect.UPSTREAM);
    List<CaptureEntry> entries = new ArrayList<>();
    for (int session = 1; session <= sessions; session++) {
      entries.add(new CaptureEvent(session, session, true, ""));
    }
    entries.add(decoder.message(0, 0, 7, RelayRoute.TO_BACK_END, 1, 1, 0, 0, Bytes.EMPTY));
    entries.add(decoder.message(0, 0, 7, RelayRoute.TO_BACK_END, 1, 1, 0, 0, Bytes.EMPTY));
    var capture = new Capture("/run/a", "/run/b", Instant.EPOCH, Dialect.UPSTREAM, entries, false);

    List<TracedSession> traced = TracedSession.of(capture);

    assertThat(traced).hasSize(sessions);
    assertThat(traced.get(6).session()).isEqualTo(7);
    assertThat(traced.get(6).requests()).hasSize(2);
    assertThat(traced.get(6).phases())
        .as("equal messages are two")
        .containsExactly(SessionPhase.NEGOTIATE, SessionPhase.NEGOTIATE);
  }

  @Test
  void phasesFillTheSession() throws Exception {
    Capture capture = capture();
    for (TracedSession session : sessions()) {
      List<CaptureEntry> entries =
          capture.entries().stream().filter(e -> e.session() == session.session()).toList();

      assertThat(session.costs().stream().mapToLong(PhaseCost::nanos).sum())
          .isEqualTo(entries.getLast().nanos() - entries.getFirst().nanos());
      assertThat(session.phases()).hasSize(entries.size() - 2);
    }
  }

  @Test
  void theMemoryTableTookLongestToSetUp() throws Exception {
    // The switch faults in all of the guest's memory at this message.
    for (TracedSession session : sessions()) {
      TracedRequest slowest =
          session.slowest(100).stream()
              .filter(request -> request.phase() == SessionPhase.CONFIGURE)
              .findFirst()
              .orElseThrow();

      assertThat(slowest.request().request()).isEqualTo(FrontEndRequest.SET_MEM_TABLE);
    }
    assertThat(sessions().getFirst().slowest(5)).hasSize(5);
  }

  @Test
  void estimatesFollowTheTableOfWhatMayBeToldEarly() throws Exception {
    WhatIf estimate = WhatIf.of(sessions().getFirst());

    assertThat(estimate.recorded().messages()).isEqualTo(30);
    assertThat(estimate.recorded().waits()).isEqualTo(5);
    // Four rings. Explicit: base, kick, call, all of them early as well, as START and END are; any
    // back end: base, address, kick; DPDK: base. And the status, whose reply is the barrier. What
    // was recorded ends in messages without reply, so that a barrier comes behind them.
    assertThat(estimate.variants())
        .extracting(v ->
            "%s %d %d %d".formatted(v.name(), v.early(), v.window().messages(), v.window().waits()))
        .containsExactly(
            "pipelined 0 31 1",
            "explicit 31 5 1",
            "implicit, any back end 17 13 1",
            "implicit, DPDK 25 5 1");
    long all = estimate.variants().getFirst().window().nanos();
    assertThat(all).isLessThanOrEqualTo(estimate.recorded().nanos());
    assertThat(estimate.variants())
        .allSatisfy(variant -> assertThat(variant.window().nanos()).isBetween(1L, all));
    assertThat(estimate.variants().getLast().window().nanos()).isLessThan(all);
  }

  @Test
  void whatIsToldTwiceWaitsOnce() throws Exception {
    // QEMU: calls when the device is made and when it starts, enable again and again; two rings.
    WhatIf estimate = WhatIf.of(sessions().getLast());

    assertThat(estimate.recorded().messages()).isEqualTo(30);
    assertThat(estimate.variants())
        .extracting(v -> "%s %d %d".formatted(v.name(), v.early(), v.window().messages()))
        .containsExactly(
            "pipelined 0 31",
            "explicit 21 4",
            "implicit, any back end 13 8",
            "implicit, DPDK 17 4");
    assertThat(estimate.variants())
        .allSatisfy(variant ->
            assertThat(variant.note())
                .endsWith("without the work of SET_STATUS, which no reply shows"));
  }
}
