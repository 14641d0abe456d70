package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.Access;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.testkit.RuleBreach.Rule;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What QEMU told a real DPDK about a real guest's IOMMU, told to the mock back end: it asks for the
 * same addresses in the same order.
 *
 * <p>Where DPDK asked for a buffer, the mock's ring looks the same address up. For the areas of its
 * rings the mock asks by itself.
 */
class IotlbTraceTest {
  private static final long DPDK_FEATURES = 0xf7c66e7cbL;
  private static final long DPDK_PROTOCOL_FEATURES = 0x10cbf;
  private static final Pattern LINE = Pattern.compile("(->|<=) (\\w+) (\\w+) ?(.*)");
  private static final Pattern FIELD = Pattern.compile("\\b([a-z0-9]+)=(0x)?([0-9a-f]+)\\b");

  private final ToldState told =
      new ToldState(
          BackEndOffer.of(Personality.DPDK)
              .withQueuePairs(1)
              .withFeatures(DPDK_FEATURES)
              .withProtocolFeatures(DPDK_PROTOCOL_FEATURES)
              .withIotlb(IotlbModel.DPDK));
  private final List<Long> misses = new ArrayList<>();
  private final Set<Long> areas = new HashSet<>();
  private int updates;
  private int kept;
  private int invalidations;

  @ParameterizedTest
  @CsvSource({
    "qemu-iommu, src, 22, 24, 58",
    "qemu-iommu, dst, 32, 34, 57",
    "qemu-iommu-lazy, src, 19, 23, 14"
  })
  void theSameIsAskedFor(String trace, String socket, int asked, int told, int withdrawn)
      throws IOException {
    play(trace, socket);

    assertThat(this.told.missed)
        .extracting(missed -> missed.miss().iova())
        .containsExactlyElementsOf(misses)
        .hasSize(asked);
    assertThat(updates).isEqualTo(told);
    assertThat(kept).as("QEMU invalidates before it tells another page").isEqualTo(told);
    assertThat(invalidations).isEqualTo(withdrawn);
    assertThat(this.told.breaches())
        .doesNotContain(
            Rule.TRANSLATION_NOT_INVALIDATED,
            Rule.TRANSLATION_BEFORE_RINGS,
            Rule.INVALIDATION_WRAPS,
            Rule.RING_BEFORE_IOMMU);
  }

  @Test
  void theFlushOfALazyGuestKillsItsReceiveRing() throws IOException {
    play("qemu-iommu-lazy", "src");

    assertThat(told.state.model(0).unmapped).isTrue();
    assertThat(told.state.model(1).mapped).isNotNull();
  }

  /** Tells everything but what follows the last message about translations: the stop. */
  private void play(String trace, String socket) throws IOException {
    told.protocol();
    List<MatchResult> lines = lines(trace, socket);
    int stops = 0;
    for (int i = lines.size() - 1; i >= 0 && !lines.get(i).group(3).equals("IOTLB_MSG"); i--) {
      stops++;
    }
    for (MatchResult line : lines.subList(0, lines.size() - stops)) {
      FrontEndRequest request = FrontEndRequest.valueOf(line.group(3));
      if (line.group(1).equals("<=")) {
        miss(line.group(4));
      } else {
        tell(request, payload(request, line.group(4)));
      }
    }
  }

  private void tell(FrontEndRequest request, Payload payload) {
    if (payload instanceof VringAddress ring) {
      areas.addAll(List.of(ring.descriptor(), ring.available(), ring.used()));
    }
    Outcome outcome = told.tell(request, payload, descriptors(request));
    assertThat(outcome.tookEffect()).as("%s %s: %s", request, payload, outcome.reason()).isTrue();
    for (Effect effect : outcome.effects()) {
      if (effect instanceof Effect.TranslationTold(Iotlb message, boolean isKept)) {
        invalidations += message.type() == Iotlb.INVALIDATE ? 1 : 0;
        updates += message.type() == Iotlb.UPDATE ? 1 : 0;
        kept += message.type() == Iotlb.UPDATE && isKept ? 1 : 0;
      }
    }
  }

  private void miss(String text) {
    long iova = field(text, "iova");
    misses.add(iova);
    if (!areas.contains(iova)) {
      boolean writes = text.contains("perm=RW");
      int ring = writes ? 0 : 1;
      told.state
          .model(ring)
          .iotlb
          .find(
              iova,
              1,
              writes ? Access.READ_WRITE : Access.READ,
              miss -> told.missed.add(new Effect.TranslationMissed(ring, miss)));
    }
  }

  private static int descriptors(FrontEndRequest request) {
    return switch (request) {
      case SET_MEM_TABLE, SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR -> 1;
      default -> 0;
    };
  }

  private static Payload payload(FrontEndRequest request, String text) {
    return switch (request.payload()) {
      case U64 -> new U64(field(text, "u64"));
      case VRING_STATE -> new VringState((int) field(text, "vq"), (int) field(text, "num"));
      case VRING_DESCRIPTOR -> new VringDescriptor((int) field(text, "vq"), false);
      case VRING_ADDRESS ->
          new VringAddress(
              (int) field(text, "vq"),
              (int) field(text, "flags"),
              field(text, "desc"),
              field(text, "used"),
              field(text, "avail"),
              field(text, "log"));
      case MEMORY_TABLE ->
          new MemoryTablePayload(
              List.of(
                  new MemoryRegionPayload(
                      field(text, "gpa"),
                      field(text, "size"),
                      field(text, "uva"),
                      field(text, "off"))));
      case IOTLB ->
          new Iotlb(
              field(text, "iova"),
              field(text, "size"),
              field(text, "uaddr"),
              text.contains("perm=RW") ? 3 : 0,
              text.startsWith("UPDATE") ? Iotlb.UPDATE : Iotlb.INVALIDATE);
      default -> throw new IllegalArgumentException(request + " " + text);
    };
  }

  private static long field(String text, String name) {
    return FIELD
        .matcher(text)
        .results()
        .filter(field -> field.group(1).equals(name))
        .mapToLong(
            field -> Long.parseUnsignedLong(field.group(3), field.group(2) == null ? 10 : 16))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("no " + name + " in: " + text));
  }

  private static List<MatchResult> lines(String trace, String socket) throws IOException {
    try (InputStream in = IotlbTraceTest.class.getResourceAsStream("/traces/" + trace + ".txt")) {
      String all = new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
      return all.lines()
          .filter(line -> !line.startsWith("#"))
          .map(line -> {
            var match = LINE.matcher(line);
            assertThat(match.matches()).as(line).isTrue();
            return match.toMatchResult();
          })
          .filter(line -> line.group(2).equals(socket))
          .toList();
    }
  }
}
