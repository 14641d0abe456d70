package io.github.jvhost.mediate;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Lets one NIC preset at a time. One thread of DPDK serves the control sockets of all ports of a
 * switch: while it maps the memory of one guest, no other guest of that switch gets an answer. So
 * several presetups at once would only delay each other, and whoever starts meanwhile.
 *
 * <p>Thread-safe.
 */
final class PresetTurns {
  private final List<Runnable> waiting = new ArrayList<>();
  private @Nullable Nic holder;

  /**
   * Takes the turn if it is free.
   *
   * @param who asks
   * @param wake is called once, on another thread, when the turn may be free. All who wait are
   *     woken, because the first of them may not need it any more
   * @return whether it has the turn now
   */
  synchronized boolean take(Nic who, Runnable wake) {
    if (holder == null || holder == who) {
      holder = who;
      return true;
    }
    if (!waiting.contains(wake)) {
      waiting.add(wake);
    }
    return false;
  }

  /** Gives the turn back, if this one has it. */
  void giveBack(Nic who) {
    List<Runnable> woken;
    synchronized (this) {
      if (holder != who) {
        return;
      }
      holder = null;
      woken = List.copyOf(waiting);
      waiting.clear();
    }
    woken.forEach(Runnable::run);
  }
}
