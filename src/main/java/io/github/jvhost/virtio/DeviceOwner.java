package io.github.jvhost.virtio;

import io.github.jvhost.VhostException;
import java.util.function.Function;

/**
 * The single owner of a {@link VirtioNet}, for a register file: it runs the driver's accesses one
 * after the other and acts on their changes. {@code VhostNet} is one.
 *
 * <p>Any thread may call every method.
 */
public interface DeviceOwner {
  /**
   * {@return the device model} Code that is not the owner may call only the methods that {@link
   * VirtioNet} allows to any thread.
   */
  VirtioNet model();

  /**
   * Runs register accesses that may change the model, as its owner. Then acts on the changes.
   *
   * @param accesses run on the calling thread, before this returns
   * @throws VhostException (RETRY) when other work of the owner did not end in time: nothing was
   *     done, and the caller may make the same call again
   */
  void access(Runnable accesses);

  /**
   * Reads the model as its owner.
   *
   * @param <T> type of the answer
   * @param question run on the calling thread; must not change the device
   * @return the answer
   */
  <T> T read(Function<VirtioNet, T> question);

  /**
   * Passes on a driver's notification of a data ring. Never waits.
   *
   * @param ring index, below {@link VirtioNet#controlQueue()}
   */
  void kick(int ring);

  /**
   * Executes the commands that wait in the control ring.
   *
   * @return how many were completed
   * @throws VhostException (RETRY) when other work of the owner did not end in time: nothing was
   *     done, and the caller may make the same call again
   */
  int serviceControlQueue();
}
