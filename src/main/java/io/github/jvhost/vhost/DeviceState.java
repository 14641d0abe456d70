package io.github.jvhost.vhost;

/**
 * The state of a device with its back end. It is changed with the device's lock held. Any thread
 * may read it without waiting.
 *
 * <pre>
 *                presetup           start            stop
 *   CONNECTED ------------&gt; PRESET -------&gt; RUNNING -----&gt; STOPPED
 *       |                                   ^    ^            |
 *       +--------------- start -------------+    +---start----+
 *
 *   CONNECTED, PRESET --start of a device that has no driver--&gt; STOPPED
 *   STOPPED           --presetup--&gt; PRESET
 *   PRESET, STOPPED   --presetup that fails on the same connection--&gt; CONNECTED
 *
 *   any of these --hang-up, refusal--&gt; LOST --reconnect--&gt; CONNECTED
 *   any         --close-------------&gt; CLOSED
 * </pre>
 */
enum DeviceState {
  /** There is a connection. The back end holds no complete configuration. */
  CONNECTED,
  /** The back end holds an early configuration. */
  PRESET,
  /** The back end serves the rings. */
  RUNNING,
  /** The back end was asked to stop the rings, and may have answered. */
  STOPPED,
  /** There is no connection. */
  LOST,
  /** The embedder has closed the device. This state is final. */
  CLOSED
}
