package io.github.jvhost.mediate;

import java.util.Map;
import java.util.Optional;

/**
 * What is going on with one NIC. The table says which event leads from which state to which; an
 * event that has no row in a state cannot happen there.
 *
 * <pre>
 *                 FRONT_END_CAME            PRESETUP_BEGUN             PRESETUP_DONE
 *   NO_FRONT_END ----------------&gt; CONNECTED ------------&gt; PRESETTING ------------&gt; PRESET
 *                                   ^   |                   |  ^  ^                 |  |
 *                                   |   |    SWITCH_WENT    |  |  +-PRESETUP_BEGUN--+  |
 *                                   +---|-------------------+--|-----------------------+
 *                                       |                      |
 *                                       | STARTED, from all    | PRESETUP_BEGUN
 *                                       | three of these       |
 *              SWITCH_WENT              v        STOPPED       |
 *   NO_SWITCH &lt;-------------------- RUNNING ------------&gt; STOPPED
 *     |  |                            ^   ^                 |  ^
 *     |  +---------SWITCH_CAME--------+   +-----STARTED-----+  |
 *     +--------------------------STOPPED-----------------------+
 * </pre>
 *
 * <p>FRONT_END_WENT leads from every state to NO_FRONT_END. What leaves a state as it is, is not
 * drawn. A move to another switch and a standby are no states of the NIC: it runs meanwhile.
 */
enum NicState {
  /** No front end is connected. */
  NO_FRONT_END,
  /** The front end has connected. The switch holds nothing of its device. */
  CONNECTED,
  /** The switch is being told early. */
  PRESETTING,
  /** The switch holds an early configuration. */
  PRESET,
  /** The device runs at the switch. */
  RUNNING,
  /** The front end has stopped the device, which has run. */
  STOPPED,
  /** The front end believes that its device runs, and there is no switch that serves it. */
  NO_SWITCH;

  /** What changes the state. */
  enum Event {
    FRONT_END_CAME,
    FRONT_END_WENT,
    PRESETUP_BEGUN,
    PRESETUP_DONE,
    STARTED,
    STOPPED,
    /** The connection has ended, from whatever side: the switch holds nothing any more. */
    SWITCH_WENT,
    SWITCH_CAME
  }

  private static final Map<NicState, Map<Event, NicState>> TABLE =
      Map.of(
          NO_FRONT_END,
          Map.of(
              Event.FRONT_END_CAME, CONNECTED,
              Event.SWITCH_WENT, NO_FRONT_END,
              Event.SWITCH_CAME, NO_FRONT_END),
          CONNECTED,
          Map.of(
              Event.PRESETUP_BEGUN, PRESETTING,
              Event.STARTED, RUNNING,
              Event.SWITCH_WENT, CONNECTED,
              Event.SWITCH_CAME, CONNECTED),
          PRESETTING,
          Map.of(
              Event.PRESETUP_DONE, PRESET,
              Event.SWITCH_WENT, CONNECTED,
              Event.STARTED, RUNNING),
          PRESET,
          Map.of(
              Event.PRESETUP_BEGUN, PRESETTING,
              Event.SWITCH_WENT, CONNECTED,
              Event.STARTED, RUNNING),
          RUNNING,
          Map.of(Event.STOPPED, STOPPED, Event.SWITCH_WENT, NO_SWITCH),
          STOPPED,
          Map.of(
              Event.STARTED, RUNNING,
              Event.PRESETUP_BEGUN, PRESETTING,
              Event.SWITCH_WENT, STOPPED,
              Event.SWITCH_CAME, STOPPED),
          NO_SWITCH,
          Map.of(Event.SWITCH_CAME, RUNNING, Event.STOPPED, STOPPED, Event.SWITCH_WENT, NO_SWITCH));

  /**
   * {@return the state after an event; empty if the event cannot happen in this state}
   *
   * @param event what has happened
   */
  Optional<NicState> after(Event event) {
    if (event == Event.FRONT_END_WENT) {
      return this == NO_FRONT_END ? Optional.empty() : Optional.of(NO_FRONT_END);
    }
    return Optional.ofNullable(TABLE.getOrDefault(this, Map.of()).get(event));
  }

  /**
   * {@return the state in which a mediator goes on with a NIC that an earlier one has saved in this
   * state} Only the connection of a device that runs is used again. Every other one is closed,
   * which undoes what its switch was told early.
   */
  NicState takenOver() {
    return switch (this) {
      case RUNNING -> RUNNING;
      case NO_SWITCH -> NO_SWITCH;
      case STOPPED -> STOPPED;
      case CONNECTED, PRESETTING, PRESET -> CONNECTED;
      case NO_FRONT_END -> NO_FRONT_END;
    };
  }

  /** {@return whether the front end believes that its device runs} */
  boolean isStarted() {
    return this == RUNNING || this == NO_SWITCH;
  }
}
