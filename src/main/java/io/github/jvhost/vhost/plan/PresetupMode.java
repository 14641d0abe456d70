package io.github.jvhost.vhost.plan;

/** How a back end is set up before the guest stops. */
public enum PresetupMode {
  /** Not at all: everything is told in the stop window. */
  OFF,
  /** With the PRESETUP message, which the back end has to offer in the chosen dialect. */
  EXPLICIT,
  /** Without it: whatever this back end can safely be told early is told early. */
  IMPLICIT
}
