package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What real front ends have said to a real switch is said to a mediator, message by message. */
@Timeout(60)
class FrontEndTraceTest {
  /** What DPDK 22.11 has answered to GET_FEATURES. */
  static final long DPDK_OFFERS = 0xd7c66e7cbL;

  @TempDir private Path directory;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  @ParameterizedTest
  @ValueSource(
      strings = {
        "qemu-life",
        "qemu-source",
        "qemu-destination",
        "qemu-source-2-pairs",
        "qemu-destination-2-pairs",
        "qemu-source-packed",
        "qemu-destination-packed",
        "virtio-user"
      })
  void everyMessageHasItsAnswer(String trace) throws IOException {
    Path frontEnd = directory.resolve("net0");
    Path theSwitch = directory.resolve("switch");
    BackEndOffer offer =
        BackEndOffer.of(Personality.DPDK).withFeatures(DPDK_OFFERS).withQueuePairs(2);
    try (MockBackEnd backEnd = MockBackEnd.builder(theSwitch, ledger).offer(offer).start();
        Mediator mediator =
            Mediator.start(
                MediatorOptions.of(
                    List.of(
                        NicOptions.of(
                            "net0",
                            new FrontEndAddress.Listen(frontEnd),
                            new BackEndAddress.Socket(theSwitch),
                            BackEndProfile.DPDK))),
                ledger)) {
      for (List<TraceLine> session : sessions(trace)) {
        try (var traced = new TracedFrontEnd(frontEnd, ledger)) {
          traced.play(session);
        }
      }

      assertThat(backEnd.record().notes()).isEmpty();
      assertThat(mediator.status()).allMatch(status -> status.lastFailure() == null);
      assertThat(backEnd.record().violations()).isEmpty();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** Each device's messages, from one connection to the next. */
  static List<List<TraceLine>> sessions(String trace) throws IOException {
    List<List<TraceLine>> sessions = new ArrayList<>();
    Map<String, List<TraceLine>> current = new LinkedHashMap<>();
    try (InputStream in =
        FrontEndTraceTest.class.getResourceAsStream("/traces/" + trace + ".txt")) {
      String all = new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
      for (String line : all.lines().toList()) {
        if (line.startsWith("### backend killed")) {
          current.clear();
        } else if (!line.startsWith("#")) {
          TraceLine message = TraceLine.parse(line);
          current
              .computeIfAbsent(
                  message.device(),
                  _ -> {
                    List<TraceLine> session = new ArrayList<>();
                    sessions.add(session);
                    return session;
                  })
              .add(message);
        }
      }
    }
    return sessions;
  }
}
