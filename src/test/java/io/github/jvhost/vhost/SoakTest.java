package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.OpenDescriptors;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Connect, start, stop, reconnect, close, ten thousand times: descriptors, threads, mappings and
 * native memory stay what they were after the first tenth. {@code -Djvhost.soak.cycles=N} for more.
 */
class SoakTest {
  private static final int CYCLES = Integer.getInteger("jvhost.soak.cycles", 10_000);

  /** Cycles after which the collector runs: their buffers have some megabytes. */
  private static final int COLLECTED_AFTER = 200;

  /** What native memory may grow by; a leak of a cycle's smallest buffer would be far more. */
  private static final long NATIVE_SLACK = 32L << 20;

  /** The most that malloc maps for one arena. */
  private static final long LARGEST_ARENA = 64L << 20;

  private static final Pattern MAPPING =
      Pattern.compile("([0-9a-f]+)-([0-9a-f]+) \\S+ \\S+ \\S+ (\\d+).*");

  @TempDir private Path dir;

  /** What a process holds on to. */
  private record Held(int descriptors, long mappings, int threads, long nativeBytes) {
    static Held now() throws IOException {
      System.gc();
      return new Held(
          OpenDescriptors.count(),
          count("/proc/self/maps", line -> line.contains("/memfd:")),
          ManagementFactory.getThreadMXBean().getThreadCount(),
          nativeBytesNow());
    }

    /**
     * Resident anonymous memory, but for mappings larger than any of malloc's: those are the Java
     * heap's.
     */
    private static long nativeBytesNow() throws IOException {
      long resident = 0;
      boolean counts = false;
      for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
        Matcher mapping = MAPPING.matcher(line);
        if (mapping.matches()) {
          long size =
              Long.parseUnsignedLong(mapping.group(2), 16)
                  - Long.parseUnsignedLong(mapping.group(1), 16);
          counts = mapping.group(3).equals("0") && size <= LARGEST_ARENA;
        } else if (counts && line.startsWith("Rss:")) {
          resident += Long.parseLong(line.replaceAll("\\D", "")) << 10;
        }
      }
      return resident;
    }

    private static long count(String file, Predicate<String> which) throws IOException {
      try (Stream<String> lines = Files.lines(Path.of(file))) {
        return lines.filter(which).count();
      }
    }
  }

  @Test
  void nothingGrows() throws IOException, InterruptedException {
    BackEndOffer offer =
        BackEndOffer.of(Personality.GENERIC)
            .with(ProtocolFeature.BACKEND_REQ)
            .with(ProtocolFeature.CONFIGURE_MEM_SLOTS)
            .with(ProtocolFeature.INFLIGHT_SHMFD);
    try (Rig rig = new Rig(dir, 1, offer, BackEndProfile.GENERIC)) {
      rig.net().close();
      rig.nets.clear();
      cycles(rig, CYCLES / 10);
      Held before = Held.now();
      cycles(rig, CYCLES - CYCLES / 10);
      Held after = Held.now();
      assertThat(after.descriptors)
          .as("%s", OpenDescriptors.list())
          .isLessThanOrEqualTo(before.descriptors);
      assertThat(after.mappings).isEqualTo(before.mappings);
      assertThat(after.threads)
          .isLessThanOrEqualTo(before.threads + 1); // the JVM's own come and go
      assertThat(after.nativeBytes - before.nativeBytes).isLessThan(NATIVE_SLACK);
      System.out.printf(
          Locale.ROOT,
          "soak: %d cycles, %d descriptors, %d mappings, %d threads, native memory %+d KiB%n",
          CYCLES,
          after.descriptors,
          after.mappings,
          after.threads,
          (after.nativeBytes - before.nativeBytes) >> 10);
    }
  }

  private static void cycles(Rig rig, int count) throws InterruptedException {
    for (int i = 0; i < count; i++) {
      try (VhostNet net = rig.connect(0, Duration.ofSeconds(10))) {
        Rig.drive(net, 0);
        net.start();
        assertThat(net.stop().complete()).isTrue();
        net.reconnect().orThrow();
      }
      rig.backEnd().record().forget();
      if (i % COLLECTED_AFTER == 0) {
        // The collector frees direct buffers. How long it waits for that is no growth.
        System.gc();
      }
    }
    // The back end closes its side of the last connection by itself.
    assertThat(rig.backEnd().record().await(r -> r.connections() == r.disconnections(), Rig.soon()))
        .isTrue();
    rig.noRuleWasBroken();
  }
}
