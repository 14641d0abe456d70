package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.embedding.OwnVm;
import io.github.jvhost.embedding.SmallVmm;
import io.github.jvhost.embedding.TinyDriver;
import io.github.jvhost.mediate.keep.KeeperThread;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.net.ReflectingPort;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A mediator is killed while the front end takes the link down and up: before it stores, tells the
 * switch, answers or reads something. Its successor goes on, and no frame is lost or served twice.
 *
 * <p>With {@code -Pnightly} at each step; otherwise at some.
 */
@Timeout(600)
class KilledAtEachStepTest {
  private static final int STRIDE = Integer.getInteger("jvhost.soak.cycles", 0) < 30_000 ? 13 : 1;

  /** The common pool may have one thread only. */
  private static final Executor THREADS = task -> Thread.ofPlatform().daemon().start(task);

  /** How many frames are sent each time. */
  private static final int FRAMES = 3;

  @TempDir private Path directory;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  private HeldMediator mediator() {
    return HeldMediator.start(
        List.of(
            "mediate",
            "--keep=" + directory.resolve("keeper"),
            "--nic=net0=" + directory.resolve("net0") + "," + directory.resolve("switch")));
  }

  /** A back end that believes the front end where its rings go on, as many do. */
  private MockBackEnd theSwitch() {
    return MockBackEnd.builder(directory.resolve("switch"), ledger)
        .offer(BackEndOffer.of(Personality.GENERIC).without(ProtocolFeature.RARP))
        .port(new ReflectingPort("mirror", 64))
        .start();
  }

  /**
   * Takes the link down and up, with a frame that waits meanwhile, and has the mediator killed.
   *
   * @param when which steps it has begun then
   * @param served whether the switch is to serve the frame before the mediator is killed
   * @return the mediator that goes on; the same one if there were not so many steps
   */
  private HeldMediator killed(
      HeldMediator first,
      Predicate<List<String>> when,
      boolean served,
      SmallVmm vmm,
      TinyDriver driver) {
    first.holdWhen(when);
    var isDown = new CompletableFuture<Void>();
    CompletableFuture<Void> frame = isDown.thenRunAsync(() -> echo(driver, 7), THREADS);
    CompletableFuture<Void> link =
        CompletableFuture.runAsync(
            () -> {
              vmm.linkUp(false);
              isDown.complete(null);
              vmm.linkUp(true);
            },
            THREADS);
    Wait.until(() -> first.isHeld() || link.isDone());
    HeldMediator now = first;
    if (first.isHeld()) {
      if (served) {
        frame.join();
      }
      first.kill();
      first.close();
      now = mediator();
    }
    link.join();
    frame.join();
    echo(driver, 8);
    echo(driver, 9);
    return now;
  }

  private static void echo(TinyDriver driver, int mark) {
    assertThat(driver.echo(mark)).endsWith(mark, mark);
  }

  /** What a test does with a guest that has had one frame back; returns how many more it sent. */
  private interface Script {
    int run(HeldMediator first, SmallVmm vmm, TinyDriver driver);
  }

  private void play(Script script) {
    try (KeeperThread _ = KeeperThread.start(directory.resolve("keeper"));
        MockBackEnd theSwitch = theSwitch();
        HeldMediator first = mediator();
        OwnVm vm = new OwnVm();
        SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"))) {
      TinyDriver driver = new TinyDriver(vm, vmm);
      driver.boot();
      echo(driver, 1);
      int sent = 1 + script.run(first, vmm, driver);
      assertThat(theSwitch.record().transmitted()).as("none is served twice").isEqualTo(sent);
      assertThat(theSwitch.record().violations()).isEmpty();
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** The switch has served the rings before it was stored that it serves them. */
  @Test
  void betweenTellingTheStartAndStoringIt() {
    play((first, vmm, driver) -> {
      Predicate<List<String>> started =
          steps ->
              steps.stream().filter("tell"::equals).count() == 2 && steps.getLast().equals("write");
      HeldMediator second = killed(first, started, true, vmm, driver);
      assertThat(second).isNotSameAs(first);
      second.close();
      return FRAMES;
    });
  }

  @Test
  void atAnyStep() {
    play((first, vmm, driver) -> {
      HeldMediator last = first;
      int frames = 0;
      boolean killed = true;
      for (int step = 1; killed; step += STRIDE) {
        int nth = step;
        HeldMediator next = killed(last, steps -> steps.size() == nth, false, vmm, driver);
        killed = next != last;
        last = next;
        frames += FRAMES;
      }
      last.close();
      assertThat(frames).as("there are steps").isGreaterThan(2 * FRAMES);
      return frames;
    });
  }
}
