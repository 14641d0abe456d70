package io.github.jvhost.mediate;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is going on with one NIC. Immutable.
 *
 * @param name of the NIC
 * @param state in capitals: NO_FRONT_END, CONNECTED, PRESETTING, PRESET, RUNNING, STOPPED or
 *     NO_SWITCH, as docs/mediate.md explains them; PASS_THROUGH of a device whose messages are
 *     passed on; BUSY of a NIC that did not say within a second, of which nothing else is known
 *     then
 * @param logging whether the guest's writes are being logged, because it is being migrated
 * @param theSwitch where the switch is that serves the NIC; null: none is connected
 * @param standby what the standby is; null: there is none
 * @param features that the front end has acknowledged, as bits
 * @param rings one entry a vring, by index
 * @param messages that the front end has sent since it connected
 * @param messagesToTheSwitch that the switches of this NIC were sent in plans since the mediator
 *     began
 * @param presetup the newest presetup of the switch that serves; null: there was none since the
 *     front end connected
 * @param lastStart what the switch was told when the device started last; null: it has not started
 *     since the front end connected
 * @param lastFailure what went wrong last; null: nothing did
 * @param notSaved why a mediator that takes over cannot go on with this NIC, although there is a
 *     keeper or a service manager for that; null: it can, or there is none
 */
public record NicStatus(
    String name,
    String state,
    boolean logging,
    @Nullable String theSwitch,
    @Nullable Standby standby,
    long features,
    List<Ring> rings,
    long messages,
    long messagesToTheSwitch,
    @Nullable Presetup presetup,
    @Nullable Start lastStart,
    @Nullable String lastFailure,
    @Nullable String notSaved) {

  /** Copies the list. */
  public NicStatus {
    rings = List.copyOf(rings);
  }

  /**
   * One vring.
   *
   * @param size in entries; 0: it was not set up
   * @param enabled whether it is in use
   */
  public record Ring(int size, boolean enabled) {}

  /**
   * A switch that takes over when the one that serves goes away.
   *
   * @param theSwitch where it is
   * @param ready whether it has been told everything but where the rings are
   */
  public record Standby(String theSwitch, boolean ready) {}

  /**
   * What a switch was told early.
   *
   * @param from who predicted it
   * @param complete whether the switch has taken all of it
   * @param messages that the switch got
   * @param micros how long that took, in microseconds
   */
  public record Presetup(String from, boolean complete, int messages, long micros) {}

  /**
   * What a switch was told when the device started.
   *
   * @param steps each with its reason
   * @param messages that the switch got
   * @param micros from the first byte until the last answer that was waited for, in microseconds
   */
  public record Start(List<String> steps, int messages, long micros) {
    /** Copies the list. */
    public Start {
      steps = List.copyOf(steps);
    }
  }

  static NicStatus busy(String name) {
    return of(name, "BUSY", null, 0, 0, null);
  }

  static NicStatus passedOn(
      String name,
      @Nullable String backEnd,
      long messages,
      long messagesToTheSwitch,
      @Nullable String lastEnd) {
    return of(name, "PASS_THROUGH", backEnd, messages, messagesToTheSwitch, lastEnd);
  }

  private static NicStatus of(
      String name,
      String state,
      @Nullable String theSwitch,
      long messages,
      long messagesToTheSwitch,
      @Nullable String lastFailure) {
    return new NicStatus(
        name,
        state,
        false,
        theSwitch,
        null,
        0,
        List.of(),
        messages,
        messagesToTheSwitch,
        null,
        null,
        lastFailure,
        null);
  }

  static NicStatus of(
      NicOptions options,
      NicState state,
      FrontEndDevice device,
      @Nullable SwitchConnection serving,
      NicStatus.@Nullable Standby standby,
      NicHistory history,
      @Nullable String notSaved) {
    List<Ring> rings = new ArrayList<>();
    for (FrontEndRing ring : device.rings()) {
      Integer size = ring.size();
      rings.add(new Ring(size == null ? 0 : size, device.isEnabled(ring)));
    }
    return new NicStatus(
        options.name(),
        state.name(),
        device.logs(),
        serving == null ? null : serving.options().address().toString(),
        standby,
        device.features(),
        rings,
        history.messages(),
        history.messagesToTheSwitch(),
        history.presetup(),
        history.lastStart(),
        history.lastFailure(),
        notSaved);
  }
}
