package io.github.jvhost.testkit.net;

import org.jspecify.annotations.Nullable;

/**
 * One port of a {@link LearningSwitch}, owned by its station: a back end or a host. Any thread may
 * call its methods, and none of them blocks.
 */
public interface SwitchPort extends AutoCloseable {
  /** {@return the name under which the port was attached} */
  String name();

  /**
   * Sends a frame from the station into the switch. The switch drops and counts a frame that is
   * shorter than an Ethernet header. On a closed port this does nothing.
   *
   * @param frame a whole Ethernet frame without its check sequence; the switch keeps the array, so
   *     the caller must not write to it again
   */
  void transmit(byte[] frame);

  /**
   * Takes the next frame for the station.
   *
   * @return a whole frame, or null if none waits; the caller must not write to it, since ports
   *     share a flooded frame
   */
  byte @Nullable [] poll();

  /**
   * Sets what runs after a frame was queued for the station. It runs on the sender's thread and
   * must neither block nor transmit: it should signal an eventfd or unpark a thread. If frames wait
   * already, it runs at once.
   *
   * @param wakeUp what to run; replaces the previous one
   */
  void onFrame(Runnable wakeUp);

  /**
   * {@return how many frames for this port were dropped because the queue was full or the port
   * closed}
   */
  long dropped();

  /** {@return how many frames {@link #poll()} returned} */
  long delivered();

  /** Closes the port. Frames in the queue, and later frames for its addresses, count as dropped. */
  @Override
  void close();
}
