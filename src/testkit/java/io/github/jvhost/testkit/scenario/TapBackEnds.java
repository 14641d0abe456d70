package io.github.jvhost.testkit.scenario;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.net.LearningSwitch;
import io.github.jvhost.testkit.net.TapUplink;
import io.github.jvhost.testkit.process.ChildProcess;
import io.github.jvhost.vhost.BackEndAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The kernel's vhost-net: a tap for each device of each host. The taps are on a bridge of the
 * kernel, to which the switch with the answering host is connected too. It needs the right to make
 * interfaces, and removes them.
 */
final class TapBackEnds implements BackEnds {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final List<String> interfaces = new ArrayList<>();
  private final String prefix = "jv" + ProcessHandle.current().pid();
  private final int devices;
  private final int queuePairs;
  private final TapUplink uplink;

  TapBackEnds(ScenarioOptions options, LearningSwitch network, DescriptorLedger ledger) {
    devices = options.devices();
    queuePairs = options.maxQueuePairs();
    try {
      String bridge = added("b", "link", "add", prefix + "b", "type", "bridge");
      ip("link", "set", bridge, "addrgenmode", "none", "up");
      for (Side side : Side.values()) {
        for (int i = 0; i < devices; i++) {
          String tap = name(side, i);
          interfaces.addFirst(tap);
          ip("tuntap", "add", "mode", "tap", "multi_queue", "vnet_hdr", "name", tap);
          ip("link", "set", tap, "master", bridge, "addrgenmode", "none", "up");
        }
      }
      String up = added("u", "tuntap", "add", "mode", "tap", "name", prefix + "u");
      ip("link", "set", up, "master", bridge, "addrgenmode", "none", "up");
      uplink = TapUplink.connect(network, up, ledger);
    } catch (RuntimeException e) {
      removeInterfaces();
      throw e;
    }
  }

  private String added(String suffix, String... words) {
    ip(words);
    interfaces.addFirst(prefix + suffix);
    return prefix + suffix;
  }

  private String name(Side side, int device) {
    return prefix + (side == Side.SOURCE ? "s" : "d") + device;
  }

  private static void ip(String... words) {
    List<String> command = Stream.concat(Stream.of("ip"), Stream.of(words)).toList();
    try (ChildProcess ip = ChildProcess.leashed("ip", command, Map.of())) {
      boolean ended = ip.awaitExit(Deadline.after(PATIENCE));
      if (!ended || ip.exitValue() != 0) {
        throw new VhostException(
            "%s failed: %s. To make taps takes CAP_NET_ADMIN, in a network namespace of its own for example"
                .formatted(String.join(" ", command), ip.lastLines()),
            Recovery.GIVE_UP);
      }
    }
  }

  @Override
  public BackEndAddress address(Side side, int device) {
    return new BackEndAddress.Tap(name(side, device), queuePairs);
  }

  /** The kernel does not report its costs. */
  @Override
  public long configuredMicros(Side side, long fromNanos, long toNanos) {
    return 0;
  }

  /** A tap does not count what is dropped with its queue. */
  @Override
  public long dropped() {
    return uplink.dropped();
  }

  /** There is no IOMMU with it. */
  @Override
  public @Nullable Long droppedUntranslated(Side side) {
    return null;
  }

  private void removeInterfaces() {
    for (String one : List.copyOf(interfaces)) {
      interfaces.remove(one);
      try {
        ip("link", "del", one);
      } catch (VhostException e) {
        // It was not made, or has gone with its last queue.
      }
    }
  }

  @Override
  public void close() {
    uplink.close();
    removeInterfaces();
  }
}
