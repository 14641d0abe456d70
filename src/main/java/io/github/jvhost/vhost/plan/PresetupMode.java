package io.github.jvhost.vhost.plan;

/** Whether and how a back end is preset before the guest stops. */
public enum PresetupMode {
  /** Not at all: everything is sent in the stop window. */
  OFF,
  /**
   * With the PRESETUP message, which the back end has to offer in the chosen dialect. A vDPA device
   * has no such message: it is started early on rings of ours, if its address says so.
   */
  EXPLICIT,
  /** Without that message: everything is sent early that this back end can safely be sent early. */
  IMPLICIT
}
