package io.github.jvhost.vhost;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.Iommu;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.IommuTable;
import io.github.jvhost.testkit.IotlbModel;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetBuilder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/**
 * Test aid: a device whose rings are at I/O virtual addresses, at a back end that keeps
 * translations as DPDK does.
 *
 * <pre>
 *   ring r: three pages with gaps at 0x8000_0000 + r x 1 MiB: descriptors, + 0x2000 available,
 *           + 0x4000 used, in guest memory at 64 KiB x (r + 1): used, descriptors, available
 * </pre>
 */
abstract class IommuRig {
  static final long PAGE = 4096;

  @TempDir private Path dir;

  final IommuTable iommu = new IommuTable();
  Rig rig;

  @BeforeEach
  void start() {
    rig =
        new Rig(
            dir,
            0,
            BackEndOffer.of(Personality.DPDK).withIotlb(IotlbModel.DPDK),
            BackEndProfile.DPDK);
    rig.addBackEnd(Faults.none());
  }

  @AfterEach
  void close() {
    rig.close();
  }

  static long iova(int ring) {
    return 0x8000_0000L + ((long) ring << 20);
  }

  static long guest(int ring) {
    return 0x10000L * (ring + 1);
  }

  void map(int ring) {
    iommu.map(iova(ring), guest(ring) + PAGE, PAGE, Access.READ);
    iommu.map(iova(ring) + 0x2000, guest(ring) + 2 * PAGE, PAGE, Access.READ);
    iommu.map(iova(ring) + 0x4000, guest(ring), PAGE, Access.READ_WRITE);
  }

  void mapRings() {
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      map(ring);
    }
  }

  static VirtioNet model() {
    return VirtioNet.builder("net0")
        .maxQueuePairs(Rig.PAIRS)
        .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | NetFeature.ACCESS_PLATFORM.mask())
        .build();
  }

  VhostNet connect(Iommu behind) {
    return connect(behind, rig.options(0, Duration.ofSeconds(10)));
  }

  VhostNet connect(Iommu behind, VhostDeviceOptions options) {
    return connect(0, behind, options);
  }

  private VhostNet connect(int device, Iommu behind, VhostDeviceOptions options) {
    VhostNet net =
        VhostNet.connect(
            model(), new DeviceMemory(rig.memory, behind), rig.eventfds.get(device), options);
    rig.nets.add(net);
    return net;
  }

  /** The driver sets its rings up. */
  static void drive(VhostNet net) {
    Rig.negotiate(net.model());
    for (int ring = 0; ring < Rig.RINGS; ring++) {
      long at = iova(ring);
      net.model().configureQueue(ring, 256, at, at + 0x2000, at + 0x4000);
    }
    net.model().setStatus(0xf);
  }

  VhostNet running() {
    mapRings();
    return started(0, rig.options(0, Duration.ofSeconds(10)));
  }

  VhostNet started(int device, VhostDeviceOptions options) {
    VhostNet net = connect(device, iommu, options);
    drive(net);
    net.start();
    return net;
  }

  long updates() {
    return rig.backEnd().record().iotlb().updates();
  }

  void ask(long iova, Access access) throws Exception {
    ask(0, iova, access);
  }

  void ask(int device, long iova, Access access) throws Exception {
    rig.backEnds
        .get(device)
        .askFrontEnd(
            BackEndRequest.IOTLB_MSG,
            new Iotlb(iova, 0, 0, access.bits(), Iotlb.MISS),
            List.of(),
            true)
        .get(10, TimeUnit.SECONDS);
  }

  /** What a source that has these mappings tells: its rings' areas, and one buffer. */
  static List<Translation> toldAt(IommuTable mappings) {
    return mappings.mappings().stream()
        .map(t -> new Translation(t.iova(), t.guestAddress(), used(t), Access.READ_WRITE))
        .toList();
  }

  static long used(Translation t) {
    return switch ((int) (t.iova() & 0xfffff)) {
      case 0x2000 -> 6 + 2 * 256;
      case 0x4000 -> 6 + 8 * 256;
      default -> t.length();
    };
  }
}
