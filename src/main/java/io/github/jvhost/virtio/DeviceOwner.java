package io.github.jvhost.virtio;

import io.github.jvhost.VhostException;
import java.util.function.Function;

/**
 * The one serial owner of a {@link VirtioNet}, as a register file needs it: it takes the driver's
 * accesses one after the other and acts on what they change. {@code VhostNet} is one.
 *
 * <p>Any thread may call every method.
 */
public interface DeviceOwner {
  /**
   * {@return the device model} Whoever is not its owner may call only what {@link VirtioNet} allows
   * to any thread.
   */
  VirtioNet model();

  /**
   * Runs register accesses that may change the model, as its owner, and then acts on the changes.
   *
   * @param accesses run on the calling thread, before this returns
   * @throws VhostException (RETRY) the caller did not get its turn in time: nothing was done, and
   *     the same call may be made again
   */
  void access(Runnable accesses);

  /**
   * Looks at the model as its owner.
   *
   * @param <T> of the answer
   * @param question run on the calling thread; leaves the device as it is
   * @return what the question answered
   */
  <T> T read(Function<VirtioNet, T> question);

  /**
   * Passes on that the driver has notified a data ring. Never waits.
   *
   * @param ring index, below {@link VirtioNet#controlQueue()}
   */
  void kick(int ring);

  /**
   * Carries out the commands that wait in the control ring.
   *
   * @return how many were completed
   * @throws VhostException (RETRY) the caller did not get its turn in time: nothing was done, and
   *     the same call may be made again
   */
  int serviceControlQueue();
}
