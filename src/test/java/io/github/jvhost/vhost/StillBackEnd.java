package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.BackEndRequest;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.vhost.plan.BackEndEvents;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/**
 * Test aid: a back end that asks something in the middle of a transition, which therefore stands
 * still until the test lets it go on.
 */
final class StillBackEnd implements BackEndEvents {
  private final CountDownLatch asked = new CountDownLatch(1);
  private final CountDownLatch answer = new CountDownLatch(1);

  @Override
  public void configChanged() {
    asked.countDown();
    try {
      assertThat(answer.await(60, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** A device at such a back end, connected. */
  Rig rig(Path dir, ProtocolFeature... wanted) {
    BackEndOffer offer =
        BackEndOffer.of(Personality.GENERIC)
            .with(ProtocolFeature.BACKEND_REQ)
            .with(ProtocolFeature.CONFIG)
            .with(ProtocolFeature.INBAND_NOTIFICATIONS);
    Rig rig = new Rig(dir, 0, offer, BackEndProfile.GENERIC);
    rig.addBackEnd(Faults.none());
    VhostDeviceOptions options =
        rig.options(0, Duration.ofSeconds(60)).withEvents(this).with(ProtocolFeature.CONFIG);
    for (ProtocolFeature feature : wanted) {
      options = options.with(feature);
    }
    rig.nets.add(rig.connect(0, options));
    return rig;
  }

  /** The transition that sends this stands still. */
  static void at(Rig rig, FrontEndRequest request) {
    var question = new Faults.Wrong.AskFirst(BackEndRequest.CONFIG_CHANGE_MSG, NoPayload.INSTANCE);
    rig.backEnd().arm(Faults.none().at(request, 1, question));
  }

  /** Waits until the transition stands still. */
  void await() throws InterruptedException {
    assertThat(asked.await(20, TimeUnit.SECONDS)).as("the transition waits").isTrue();
  }

  /** The answer of a call that another thread makes while the transition stands still. */
  <T> T meanwhile(Callable<T> call) throws Exception {
    await();
    return elsewhere(call).get(20, TimeUnit.SECONDS); // a TimeoutException: it has waited
  }

  void goOn() {
    answer.countDown();
  }

  static <T> FutureTask<T> elsewhere(Callable<T> work) {
    var task = new FutureTask<>(work);
    Thread.ofPlatform().daemon().start(task);
    return task;
  }

  static FutureTask<?> elsewhere(Runnable work) {
    return elsewhere(() -> {
      work.run();
      return null;
    });
  }
}
