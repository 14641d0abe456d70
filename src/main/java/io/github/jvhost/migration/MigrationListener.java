package io.github.jvhost.migration;

/**
 * Is called at each phase of a migration, and at each round of the source, on the migration's own
 * thread, which waits for it. The source's listener may call {@link MigrationSource#cancel}, and
 * may change the guest's devices up to {@link Phase#STOP}, that one included.
 *
 * <p>After that the devices are the migration's. At {@link Phase#HAND_OVER} of the source their
 * stop is not finished: {@link io.github.jvhost.vhost.VhostNet#access} and each other call that may
 * send a back end something throws an {@link IllegalStateException} on this thread. Do not use them
 * at the source's {@link Phase#DONE} either: the guest runs elsewhere, and they would be started
 * again. On the destination they can be used from {@link Phase#DONE} on.
 *
 * <p>What a listener throws before everything was handed over ends the migration; the guest stays
 * on the source. What it throws later is logged.
 */
@FunctionalInterface
public interface MigrationListener {
  /**
   * A phase begins.
   *
   * @param phase which one; they come in the order of their declaration
   */
  void phase(Phase phase);

  /**
   * A round of RAM begins; not called for the last one, which is sent while the guest is stopped.
   *
   * @param round counts from 0
   * @param pages sent up to now
   * @param presetupAnswered whether the destination has answered for every device whether it is
   *     preset
   */
  default void round(int round, long pages, boolean presetupAnswered) {}
}
