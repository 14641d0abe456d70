package io.github.jvhost.mediate;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Lets one NIC preset a switch at a time. One thread of DPDK serves the control sockets of all
 * ports of a process: while it maps the memory of one guest, no other guest of that process gets an
 * answer. So several presetups at once would only delay each other, and whoever starts meanwhile.
 *
 * <p>Thread-safe.
 */
final class PresetTurns {
  private final List<Runnable> waiting = new ArrayList<>();
  private final Map<Integer, Nic> holders = new HashMap<>();

  /**
   * Takes the turn if it is free.
   *
   * @param process of the switch
   * @param who asks
   * @param wake is called once, on another thread, when the turn may be free. All who wait are
   *     woken, because the first of them may not need it any more
   * @return whether it has the turn now
   */
  synchronized boolean take(int process, Nic who, Runnable wake) {
    Nic holder = holders.putIfAbsent(process, who);
    if (holder == null || holder == who) {
      return true;
    }
    if (!waiting.contains(wake)) {
      waiting.add(wake);
    }
    return false;
  }

  /** Gives back the turns that this one has. */
  void giveBack(Nic who) {
    List<Runnable> woken;
    synchronized (this) {
      if (!holders.values().removeIf(holder -> holder == who)) {
        return;
      }
      woken = List.copyOf(waiting);
      waiting.clear();
    }
    woken.forEach(Runnable::run);
  }
}
