package io.github.jvhost.realbackend;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;

/**
 * vDPA devices of the kernel as back end: its simulator, which loops what is sent back to who sent
 * it. In a guest with Linux, as {@link KernelVhostNetTest}. Skipped where there can be no such
 * guest, or where the simulator cannot be compiled. The simulator pins guest memory, as hardware
 * does.
 */
@ResourceLock("real back ends")
class KernelVdpaTest {
  private static final String DEVICES =
      """
      mount -t tracefs tracing /sys/kernel/tracing
      vdpa dev add name sim0 mgmtdev vdpasim_net mac 52:54:00:00:01:01
      vdpa dev add name sim1 mgmtdev vdpasim_net mac 52:54:00:00:01:01
      """;

  /** They take all control commands (build/kernel-guest/vdpa_ctrl_net.c). */
  private static final String DEVICES_WITH_COMMANDS =
      """
      mount -t tracefs tracing /sys/kernel/tracing
      vdpa dev add name ctl0 mgmtdev vdpa_ctrl_net mac 52:54:00:00:01:01
      vdpa dev add name ctl1 mgmtdev vdpa_ctrl_net mac 52:54:00:00:01:02
      """;

  @TestFactory
  @Timeout(360)
  Stream<DynamicTest> vhostVdpa() {
    return InVdpaGuest.CHECKS.tests(run(DEVICES, InVdpaGuest.class));
  }

  @TestFactory
  @Timeout(360)
  Stream<DynamicTest> commands() {
    return InControlGuest.CHECKS.tests(run(DEVICES_WITH_COMMANDS, InControlGuest.class));
  }

  private static String run(String devices, Class<?> checks) {
    Optional<String> missing = KernelGuest.simulatorMissing();
    assumeTrue(missing.isEmpty(), () -> missing.orElse(""));
    return KernelGuest.command(
        devices + KernelGuest.java(checks),
        "vdpa_sim.use_va=0",
        "vdpa_sim.max_iotlb_entries=65536",
        "vhost_vdpa.max_iotlb_entries=65536");
  }
}
