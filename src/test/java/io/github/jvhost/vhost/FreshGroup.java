package io.github.jvhost.vhost;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.VhostNetGroup.EarlyState;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.VirtioNet;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * {@link GroupRehearsalTest} runs this in its own JVM: devices are preset and started there by
 * {@link VhostNetGroup} alone. Prints a line.
 */
final class FreshGroup {
  static final Dialect DIALECT = Dialect.RFC_2023;

  /** Ends the line. */
  static final String UNIT = " ns";

  private static final long PAGE = 4096;

  private FreshGroup() {}

  /**
   * Presets and starts.
   *
   * @param args the sockets of back ends
   */
  public static void main(String[] args) {
    DescriptorLedger ledger = DescriptorLedger.counting();
    List<EarlyState> early = new ArrayList<>();
    try (var memory = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build()) {
      for (String socket : args) {
        String name = "net" + early.size();
        var options =
            VhostDeviceOptions.of(name, Path.of(socket), DIALECT, BackEndProfile.GENERIC, ledger);
        List<RingEventfds> eventfds = RingEventfds.create(ledger, name, 2);
        VhostNet net = VhostNet.connect(VirtioNet.builder(name).build(), memory, eventfds, options);
        early.add(new EarlyState(net, driven(net.model(), 1 + 8L * early.size()), 1));
      }
      System.out.println(window(early) + UNIT);
      early.forEach(one -> one.net().close());
    }
  }

  /** Returns when it began and ended, and how many rounds were rehearsed before. */
  private static String window(List<EarlyState> early) {
    PresetupMode mode = PresetupMode.EXPLICIT;
    VhostNetGroup.presetupUnrehearsed(mode, early, () -> false);
    // As presetup does, but with more time for it: this host may be busy.
    int rounds = GroupRehearsal.afterPresetup(mode, early, Duration.ofSeconds(20), () -> false);
    List<VhostNet> nets = early.stream().map(EarlyState::net).toList();
    early.forEach(one -> one.net().restore(one.state()));
    long from = System.nanoTime();
    List<StartResult> results = VhostNetGroup.start(nets, StartOrder.PLANNED);
    long to = System.nanoTime();
    for (StartResult result : results) {
      if (result.fallback() != null) {
        throw new IllegalStateException("a device started twice: " + result.fallback());
      }
    }
    return from + " " + to + " " + rounds;
  }

  private static VirtioNetState driven(VirtioNet like, long page) {
    VirtioNet model = like.twin();
    int driver = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;
    model.setStatus(driver);
    model.setDriverFeatures(model.deviceFeatures());
    model.setStatus(driver | DeviceStatus.FEATURES_OK);
    for (int ring = 0; ring < 2; ring++) {
      long at = (page + 3L * ring) * PAGE;
      model.configureQueue(ring, 64, at, at + PAGE, at + 2 * PAGE);
    }
    model.setStatus(DeviceStatus.RUNNING);
    return model.snapshot();
  }
}
