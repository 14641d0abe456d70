package io.github.jvhost.vhost;

/**
 * The observer that records nothing. A device with it is left out of flight recordings too. A
 * rehearsal uses it.
 */
public enum RecordsNothing implements Observer {
  /** The only one. */
  OBSERVER
}
