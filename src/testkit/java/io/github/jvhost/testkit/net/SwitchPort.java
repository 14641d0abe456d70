package io.github.jvhost.testkit.net;

import org.jspecify.annotations.Nullable;

/**
 * One port of a {@link LearningSwitch}, held by the station that is plugged in: a back end or a
 * host. All methods may be called from any thread and none of them blocks.
 */
public interface SwitchPort extends AutoCloseable {
  /** {@return the name that the port was attached under} */
  String name();

  /**
   * Sends a frame from the station into the switch. A frame that is shorter than an Ethernet header
   * is dropped and counted by the switch; on a closed port nothing happens.
   *
   * @param frame a whole Ethernet frame without its check sequence; the switch keeps the array, so
   *     the caller must not write to it again
   */
  void transmit(byte[] frame);

  /**
   * Takes the next frame for the station.
   *
   * @return a whole frame, to be read only (a flooded frame is shared between ports), or null when
   *     none waits
   */
  byte @Nullable [] poll();

  /**
   * Sets what is run after a frame was queued for the station. It runs on the sender's thread and
   * must neither block nor transmit: it is meant to signal an eventfd or to unpark a thread. When
   * frames wait already it runs at once.
   *
   * @param wakeUp replaces the one set before
   */
  void onFrame(Runnable wakeUp);

  /**
   * {@return how many frames for this port were never handed out: the queue was full, or the port
   * closed}
   */
  long dropped();

  /** {@return how many frames {@link #poll()} handed out} */
  long delivered();

  /**
   * Unplugs the station. What waits in the queue, and what still arrives for its addresses, counts
   * as dropped.
   */
  @Override
  void close();
}
