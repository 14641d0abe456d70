package io.github.jvhost.realbackend;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;

/**
 * The kernel's vhost-net as back end, with taps, in a guest with Linux. The guest boots once; what
 * runs in it is {@link InKernelGuest}. Skipped where there can be no such guest.
 */
@ResourceLock("real back ends")
class KernelVhostNetTest {
  /** A bridge that is the host which our guest pings, and two taps. */
  private static final String NETWORK =
      """
      mount -t tracefs tracing /sys/kernel/tracing
      chmod a+rw /dev/net/tun
      ip link add br0 type bridge
      ip link set br0 address 52:54:00:00:01:02
      ip addr add 10.0.0.2/24 dev br0
      ip link set br0 up
      for tap in tap0 tap1; do
        ip tuntap add mode tap multi_queue vnet_hdr name $tap
        ip link set $tap master br0 up
      done
      ip tuntap add mode tap vnet_hdr name single
      ip link set single master br0 up
      """;

  @TestFactory
  @Timeout(360)
  Stream<DynamicTest> vhostNet() {
    Optional<String> missing = KernelGuest.missing();
    assumeTrue(missing.isEmpty(), () -> missing.orElse(""));
    String printed = KernelGuest.command(NETWORK + KernelGuest.java(InKernelGuest.class));

    return InKernelGuest.CHECKS.tests(printed);
  }
}
