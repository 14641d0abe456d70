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
 * A command for the control queue that another thread asks for. That thread leaves the wish with
 * the driver and waits. The guest's thread posts the command when the queue is free, and passes the
 * answer to the waiting thread.
 *
 * @param kind the kind of command
 * @param argument its argument
 * @param wish tells the driver, on the guest's thread
 */
record ControlRequest(ControlQueue.Kind kind, long argument, Consumer<NicDriver> wish) {
  /** Waits until the device has acknowledged the command. */
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
          wish.accept(driver);
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
