package io.github.jvhost.embedding;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The guide's steps up to a running NIC, as a guest sees them. */
class RunningNicTest {
  @TempDir private Path directory;

  private final DescriptorLedger ledger = DescriptorLedger.tracing();
  private MockBackEnd backEnd;
  private OwnVm vm;
  private SmallVmm vmm;
  private TinyDriver driver;

  @BeforeEach
  void connected() {
    backEnd = Mirror.start(directory.resolve("s"), ledger);
    vm = new OwnVm();
    vmm = new SmallVmm(vm, backEnd.socket());
    driver = new TinyDriver(vm, vmm);
  }

  @AfterEach
  void everythingIsClosed() {
    vmm.close();
    vm.close();
    backEnd.close();
    assertThat(backEnd.record().violations()).isEmpty();
    assertThat(ledger.describeOpen()).isEmpty();
    assertThat(vmm.ledger.describeOpen()).isEmpty();
    assertThat(vm.leftOpen()).isEmpty();
  }

  @Test
  void bothMappingsShowTheSameMemory() {
    vm.ram().set(ValueLayout.JAVA_BYTE, 5, (byte) 42);
    vmm.memory.putByte(SmallVmm.HIGH + 7, (byte) 43);

    assertThat(vmm.memory.getByte(5)).isEqualTo((byte) 42);
    assertThat(vm.ram().get(ValueLayout.JAVA_BYTE, SmallVmm.HALF + 7L)).isEqualTo((byte) 43);
  }

  @Test
  void aDriverFindsItsDeviceAndFramesComeBackThroughTheVmmsOwnEventfds() {
    assertThat(driver.read(0)).isEqualTo(0x74726976);
    assertThat(driver.bytes(0x100, 6)).containsExactly(0x52, 0x54, 0, 0x12, 0x34, 0x56);
    driver.write(0x30, 3);
    assertThat(driver.read(0x34)).as("there are three rings, and no fourth").isZero();
    driver.write(0x30, 0);
    driver.write(0x44, 0); // as Linux does with a ring that it has given up
    driver.boot();
    assertThat(driver.read(0x70)).isEqualTo(0xf);

    assertThat(driver.echo(1)).startsWith(0xaa, 0xaa).endsWith(1, 1);
    assertThat(driver.echo(2)).endsWith(2, 2);
    assertThat(vmm.net.running()).isTrue();
  }

  @Test
  void aNotificationThatNoIoeventfdTookIsPassedOn() {
    driver.boot();
    long before = vm.interrupts(1).drain();
    driver.write(0x50, 1);
    driver.write(0x50, 77);
    driver.write(0x50, 2);
    assertThat(driver.echo(3)).endsWith(3, 3);
    assertThat(before).as("a start wakes both sides").isPositive();
  }

  @Test
  void aLinkThatGoesDownInterruptsTheGuestAndStopsTheBackEnd() {
    driver.boot();
    vm.line().drain();
    vmm.net.linkUp(false);

    assertThat(vm.line().drain()).isEqualTo(1);
    assertThat(driver.read(0x60)).isEqualTo(3);
    assertThat(driver.bytes(0x106, 2)).containsExactly(0, 0);
    driver.write(0x64, 2);
    assertThat(driver.read(0x60)).isEqualTo(1);
    assertThat(vmm.net.running()).isFalse();
    vmm.net.linkUp(true);
    assertThat(driver.echo(4)).endsWith(4, 4);
  }

  @Test
  void anInterruptHandlerAndAKickWaitForNobodyWhoHasTheDevice() throws Exception {
    driver.boot();
    vmm.net.linkUp(false);
    CountDownLatch taken = new CountDownLatch(1);
    CountDownLatch letGo = new CountDownLatch(1);
    FutureTask<?> owner =
        elsewhere(() ->
            vmm.net.access(() -> {
              taken.countDown();
              await(letGo);
            }));
    try {
      await(taken);
      FutureTask<?> handler =
          elsewhere(() -> {
            assertThat(driver.read(0x60)).isEqualTo(3);
            driver.write(0x64, 2);
            assertThat(driver.read(0x60)).isEqualTo(1);
            assertThat(driver.read(0xfc)).isEqualTo(driver.read(0xfc));
            assertThat(driver.bytes(0x106, 2)).containsExactly(0, 0);
            assertThat(driver.read(0x70)).isEqualTo(0xf);
            driver.write(0x50, 1);
          });
      handler.get(20, TimeUnit.SECONDS); // a TimeoutException: it has waited for the owner
      assertThat(owner.isDone()).isFalse();
    } finally {
      letGo.countDown();
    }
    owner.get(20, TimeUnit.SECONDS);
  }

  private static FutureTask<?> elsewhere(Runnable work) {
    FutureTask<?> task = new FutureTask<>(work, null);
    Thread.ofPlatform().daemon().start(task);
    return task;
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(60, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void framesComeBackThroughEventfdsThatWereBoundAtRunTime() {
    driver.boot();
    assertThat(driver.echo(1)).endsWith(1, 1);
    for (int ring = 0; ring < 2; ring++) {
      vm.rebind(ring);
      vmm.rebind(vm, ring);
    }
    assertThat(driver.echo(2)).endsWith(2, 2);
    assertThat(driver.echo(3)).endsWith(3, 3);
  }

  @Test
  void aResetBeginsAnew() {
    driver.boot();
    driver.echo(5);
    driver.write(0x70, 0);
    assertThat(driver.read(0x44)).isZero();
    assertThat(backEnd.record().count(FrontEndRequest.GET_VRING_BASE)).isEqualTo(2);
  }
}
