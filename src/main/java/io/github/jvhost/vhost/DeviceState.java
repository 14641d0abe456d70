package io.github.jvhost.vhost;

/**
 * What a device and its back end are to each other. Changed with the device's lock held; any thread
 * may read it, without waiting.
 *
 * <pre>
 *                presetup           start            stop
 *   CONNECTED ------------&gt; PRESET -------&gt; RUNNING -----&gt; STOPPED
 *       |                                   ^    ^            |
 *       +--------------- start -------------+    +---start----+
 *
 *   CONNECTED, PRESET --start of a device that has no driver--&gt; STOPPED
 *
 *   any of these --hang-up, refusal--&gt; LOST --reconnect--&gt; CONNECTED
 *   any         --close-------------&gt; CLOSED
 * </pre>
 */
enum DeviceState {
  /** There is a connection; the back end was sent nothing that it keeps, or not all of it. */
  CONNECTED,
  /** The back end holds an early configuration. */
  PRESET,
  /** The back end serves the rings. */
  RUNNING,
  /** The back end has said where it stopped, or was to. */
  STOPPED,
  /** There is no connection. */
  LOST,
  /** The embedder has closed the device. Nothing leads out of this. */
  CLOSED
}
