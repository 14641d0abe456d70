package io.github.jvhost.migration;

/**
 * Pauses and resumes the guest. The embedder implements it.
 *
 * <p>Called on the thread of {@link MigrationSource#run} or {@link MigrationDestination#run}.
 */
public interface VmControl {
  /** The guest stops; when this returns no vCPU writes guest memory or kicks a ring any more. */
  void pause();

  /**
   * The guest goes on, or begins to run at the destination.
   *
   * <p>If this throws, no vCPU has run: at the destination the source then goes on with the guest,
   * so a vCPU that had run here would be a second guest.
   *
   * <p>On the destination the start of the devices ends after this method returns. In here {@link
   * io.github.jvhost.vhost.VhostNet#access} and each other call that may send a back end something
   * throws an {@link IllegalStateException}. Make such calls when {@link MigrationDestination#run}
   * has returned. Another thread, a vCPU's for example, may make them and waits, so this method
   * must not wait for that thread.
   */
  void resume();
}
