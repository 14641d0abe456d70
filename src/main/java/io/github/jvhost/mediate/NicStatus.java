package io.github.jvhost.mediate;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is going on with one NIC. Immutable.
 *
 * @param name of the NIC
 * @param state in capitals, as docs/mediate.md explains them
 * @param frontEnd whether a front end is connected
 * @param theSwitch where the switch is that serves the NIC; null: none is connected
 * @param features that the front end has acknowledged, as bits
 * @param rings one entry a vring
 * @param messages that the front end has sent since it connected
 * @param messagesToTheSwitch that the switches of this NIC were sent
 * @param lastStart what the switch was told when the device started last; null: it never did
 * @param lastFailure what went wrong last; null: nothing did
 */
public record NicStatus(
    String name,
    String state,
    boolean frontEnd,
    @Nullable String theSwitch,
    long features,
    List<RingStatus> rings,
    long messages,
    long messagesToTheSwitch,
    @Nullable LastStart lastStart,
    @Nullable String lastFailure) {

  /**
   * One vring.
   *
   * @param size in entries; 0: it was not set up
   * @param enabled whether it is in use
   */
  public record RingStatus(int size, boolean enabled) {}

  /**
   * What the switch was told when the device started last.
   *
   * @param steps each with its reason
   * @param messages that the switch got
   * @param micros how long that took
   */
  public record LastStart(List<String> steps, int messages, long micros) {}

  static NicStatus of(
      NicOptions options,
      NicState state,
      boolean frontEnd,
      FrontEndDevice device,
      @Nullable SwitchConnection serving,
      NicHistory history) {
    List<RingStatus> rings = new ArrayList<>();
    for (FrontEndDevice.Ring ring : device.rings()) {
      Integer size = ring.size();
      rings.add(new RingStatus(size == null ? 0 : size, device.isEnabled(ring)));
    }
    NicHistory.Window window = history.lastWindow();
    return new NicStatus(
        options.name(),
        state.name(),
        frontEnd,
        serving == null ? null : serving.options().address().toString(),
        device.features(),
        rings,
        history.messages(),
        history.messagesToTheSwitch(),
        window == null ? null : new LastStart(window.steps(), window.messages(), window.micros()),
        history.lastFailure());
  }
}
