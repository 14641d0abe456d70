package io.github.jvhost.migration;

/**
 * What a migration asks of the VM around the devices. The embedder's.
 *
 * <p>Called on the thread that drives the migration.
 */
public interface VmControl {
  /** The guest stops; when this returns no vCPU writes guest memory or kicks a ring any more. */
  void pause();

  /**
   * The guest goes on, or begins to run where it was migrated to.
   *
   * <p>If this throws, no vCPU has run: at the destination the source then goes on with the guest,
   * so a vCPU that had run here would be a second guest.
   *
   * <p>On the destination the devices' start is finished only behind this. What this thread wants
   * of them ({@link io.github.jvhost.vhost.VhostNet#access} and whatever else tells a back end
   * something) has to wait until {@link MigrationDestination#run} has returned: in here it throws
   * an {@link IllegalStateException}. Other threads, a vCPU's for one, may ask and wait until then,
   * but this must not wait for them.
   */
  void resume();
}
