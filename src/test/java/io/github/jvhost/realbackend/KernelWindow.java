package io.github.jvhost.realbackend;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.vhost.PresetupResult;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.StartResult;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.VhostNetGroup;
import io.github.jvhost.vhost.VhostNetGroup.EarlyState;
import io.github.jvhost.vhost.plan.PresetupMode;
import io.github.jvhost.virtio.VirtioNetState;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * A guest's device moves to another back end of the kernel, while the guest stays in its memory.
 *
 * @param started how the other device started
 * @param ioctls of the window: how often there was which, by its number in hexadecimal
 * @param micros that the start took
 */
record KernelWindow(StartResult started, Map<String, Long> ioctls, long micros) {
  private static final Duration REHEARSED_WITHIN = Duration.ofSeconds(20);

  /**
   * Presets the other device, and rehearses its start.
   *
   * @return the steps
   */
  static String preset(PresetupMode mode, NetMachine machine, VhostNet there) {
    var early = List.of(new EarlyState(there, machine.net.snapshot(), 1));
    PresetupResult result = VhostNetGroup.presetup(mode, early, () -> false).getFirst();
    assertThat(result.done()).as(result.toString()).isTrue();
    assertThat(VhostNetGroup.rehearse(List.of(there), 1, REHEARSED_WITHIN, _ -> {})).isOne();
    return Objects.requireNonNull(result.plan()).describe();
  }

  /** The same with nobody else at work, so that each byte of guest memory has to stay as it is. */
  static String presetTouchesNothing(PresetupMode mode, NetMachine machine, VhostNet there) {
    machine.pause();
    machine.net.stop().orThrow();
    byte[] before = machine.content();
    String steps = preset(mode, machine, there);
    assertThat(Arrays.equals(before, machine.content())).as("guest memory is as it was").isTrue();
    machine.net.start();
    machine.resume();
    return steps;
  }

  /** Stops the device of a machine, and starts the other one. The guest is paused then. */
  static KernelWindow open(NetMachine machine, VhostNet there) {
    machine.pause();
    machine.net.stop().orThrow();
    VirtioNetState moved = machine.net.snapshot();
    machine.net.migration().handedOver();
    there.restore(moved);
    Map<String, Long> ioctls = new TreeMap<>();
    long[] nanos = new long[1];
    StartResult started =
        IoctlTrace.during(
            ioctls,
            () -> {
              long from = System.nanoTime();
              StartResult one = VhostNetGroup.start(List.of(there), StartOrder.PLANNED).getFirst();
              nanos[0] = System.nanoTime() - from;
              return one;
            });
    assertThat(started.running()).as(started.toString()).isTrue();
    return new KernelWindow(started, ioctls, nanos[0] / 1_000);
  }

  /** The guest goes on at the other device, which is stopped in the end. */
  static void goOn(NetMachine machine, VhostNet there) {
    machine.resume();
    machine.awaitAnswers(20);
    machine.drain();
    machine.assertSound();
    there.stop().orThrow();
  }
}
