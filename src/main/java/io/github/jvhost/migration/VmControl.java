package io.github.jvhost.migration;

/**
 * What a migration asks of the VM around the devices. The embedder's.
 *
 * <p>Called on the thread that drives the migration.
 */
public interface VmControl {
  /** The guest stops; when this returns no vCPU writes guest memory or kicks a ring any more. */
  void pause();

  /** The guest goes on, or begins to run where it was migrated to. */
  void resume();
}
