package io.github.jvhost.vhost;

/**
 * The observer that records nothing. A device with it is left out of flight recordings too. A
 * rehearsal uses it.
 */
enum RecordsNothing implements Observer {
  OBSERVER
}
