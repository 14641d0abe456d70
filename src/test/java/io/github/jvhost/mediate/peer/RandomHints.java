package io.github.jvhost.mediate.peer;

import io.github.jvhost.mediate.peer.Hint.Content;
import io.github.jvhost.mediate.peer.Hint.Region;
import io.github.jvhost.mediate.peer.Hint.Ring;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Hints of every form that a hint may have. */
final class RandomHints {
  private static final long PAGE = 4096;
  private static final long FOUR_MIB = 4L << 20;

  private RandomHints() {}

  static Hint hint(SplittableRandom random) {
    String nic = "net" + random.nextInt(3) + "._:-A".substring(random.nextInt(5));
    long generation = random.nextLong() >>> random.nextInt(1, 64);
    return switch (random.nextInt(6)) {
      case 0 -> Hint.cancelled(nic, generation);
      case 1 -> Hint.gone(nic, generation);
      default ->
          Hint.configuration(
              nic, generation, content(random, random.nextInt(9), random.nextInt(9)));
    };
  }

  /** Regions of 64 MiB and more with holes between them, rings of all sizes in them. */
  static Content content(SplittableRandom random, int regions, int rings) {
    List<Region> table = new ArrayList<>();
    long gpa = random.nextInt(16) * PAGE;
    int files = 0;
    for (int i = 0; i < regions; i++) {
      long size = (64L << 20) + random.nextInt(1000) * PAGE;
      long offset = random.nextInt(100) * PAGE;
      int file = files == 0 || random.nextBoolean() ? files++ : random.nextInt(files);
      table.add(new Region(gpa, size, offset, file, (1L << 40) + file));
      gpa += size + random.nextInt(3) * PAGE;
    }
    long features = random.nextLong() & ~VhostFeature.LOG_ALL;
    boolean packed = NetFeature.RING_PACKED.in(features);
    List<Ring> all = new ArrayList<>();
    for (int number = 0; number < rings && regions > 0; number++) {
      if (random.nextInt(4) > 0) {
        int size = packed ? random.nextInt(1, 32769) : 1 << random.nextInt(16);
        all.add(new Ring(number, size, addresses(random, table), random.nextBoolean()));
      }
    }
    Integer mtu = random.nextBoolean() ? null : random.nextInt(1, 65536);
    return new Content(features, mtu, table, all);
  }

  private static RingAddresses addresses(SplittableRandom random, List<Region> table) {
    long desc = table.get(random.nextInt(table.size())).guestAddress();
    long used = table.get(random.nextInt(table.size())).guestAddress();
    long avail = table.get(random.nextInt(table.size())).guestAddress();
    return new RingAddresses(
        desc + 16L * random.nextInt(1 << 20),
        used + FOUR_MIB + 4L * random.nextInt(1 << 20),
        avail + FOUR_MIB + 4L * random.nextInt(1 << 20));
  }
}
