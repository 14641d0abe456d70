package io.github.jvhost.realbackend;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.vhost.plan.PresetupMode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Measures, in a {@link KernelGuest} whose simulator pins memory, how long the start of a device
 * takes in a stop window: with nothing early, and after both forms of presetup, in turn. Prints a
 * line for each. docs/performance.md has the command.
 */
final class VdpaWindowTimes {
  private static final int COLD = 2;
  private static final int ROUNDS = 5;
  private static final DescriptorLedger LEDGER = DescriptorLedger.counting();

  private VdpaWindowTimes() {}

  /** Measures all of them. */
  public static void main(String[] arguments) {
    for (long mebibytes : new long[] {64, 256}) {
      Map<PresetupMode, List<Long>> micros = new EnumMap<>(PresetupMode.class);
      Map<PresetupMode, Map<String, Long>> ioctls = new EnumMap<>(PresetupMode.class);
      for (int round = 0; round < COLD + ROUNDS; round++) {
        for (PresetupMode mode : PresetupMode.values()) {
          KernelWindow one = window(mebibytes << 20, mode);
          ioctls.put(mode, one.ioctls());
          if (round >= COLD) {
            micros.computeIfAbsent(mode, _ -> new ArrayList<>()).add(one.micros());
          }
        }
      }
      micros.forEach((mode, times) -> {
        List<Long> sorted = times.stream().sorted().toList();
        System.out.printf(
            "%d MiB, %s: median %d us, %d to %d; ioctls %s%n",
            mebibytes,
            mode,
            sorted.get(ROUNDS / 2),
            sorted.getFirst(),
            sorted.getLast(),
            ioctls.get(mode));
      });
    }
    System.exit(0);
  }

  private static VhostDeviceOptions at(String node) {
    return VhostDeviceOptions.of(
        "net",
        new BackEndAddress.Vdpa(Path.of(node), true),
        Dialect.UPSTREAM,
        BackEndProfile.GENERIC,
        LEDGER);
  }

  private static KernelWindow window(long memory, PresetupMode mode) {
    var setup = new NetMachine.Setup(1, 1, 1, false);
    try (var machine = NetMachine.withMemory(setup, at("/dev/vhost-vdpa-0"), memory);
        VhostNet there =
            VhostNet.connect(
                setup.model(), machine.memory, machine.eventfds, at("/dev/vhost-vdpa-1"))) {
      machine.start();
      machine.awaitAnswers(5);
      if (mode != PresetupMode.OFF) {
        KernelWindow.preset(mode, machine, there);
      }
      KernelWindow window = KernelWindow.open(machine, there);
      there.stop().orThrow();
      return window;
    }
  }
}
