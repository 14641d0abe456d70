package io.github.jvhost.testkit.guest;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.Deadline;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * A command for the control queue as another thread asks for it. The wish is written down in guest
 * memory; the guest's thread makes a command of it when the queue is free, and whoever waits here
 * hears of the answer.
 *
 * @param kind what is asked for
 * @param argument its argument
 * @param wish writes it down
 */
record ControlRequest(ControlQueue.Kind kind, long argument, Consumer<NicBlock> wish) {
  /** Waits until the device has acknowledged. */
  void perform(GuestThread thread, NicDriver driver, Deadline deadline) {
    String what = driver.name() + ", " + kind + " " + argument;
    CompletableFuture<ControlQueue.Done> answer = new CompletableFuture<>();
    thread.atSafePoint(
        what,
        () -> {
          if (driver.queues().control() == null) {
            throw new VhostException(what + ": there is no control queue", Recovery.GIVE_UP);
          }
          driver.whenControlDone(
              done -> done.kind() == kind && done.argument() == argument && answer.complete(done));
          wish.accept(driver.block());
          return true;
        },
        deadline);
    try {
      if (!answer.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS).accepted()) {
        throw new VhostException(what + ": the device refused", Recovery.GIVE_UP);
      }
    } catch (TimeoutException e) {
      throw new VhostException(
          what + ": no answer within " + deadline.allowed(), Recovery.RETRY, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new VhostException(what + ": interrupted", Recovery.RETRY, e);
    } catch (ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }
}
