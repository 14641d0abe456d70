package io.github.jvhost.vhost.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.DeadlineException;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.MacAddress;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Commands to a device that this test plays: it reads the ring, and answers. */
class ControlQueueTest {
  private static final int USED = 0x802;
  private static final ControlCommand COMMAND = new ControlCommand.QueuePairs(2);

  private final DescriptorLedger ledger = DescriptorLedger.tracing();

  /** The control queue is in a group of its own. */
  private final DeviceFile file =
      new DeviceFile(EventFd.create(ledger, "device").descriptor()) {
        @Override
        int tryCall(Ioctl call, long value) {
          if (call == Ioctl.VDPA_GET_VRING_GROUP) {
            scratch().set(JAVA_INT, 4, scratch().get(JAVA_INT, 0) == 0 ? 0 : group);
          }
          return 0;
        }
      };

  private int group = 1;

  private ControlQueue queue = queue(Duration.ofSeconds(20));
  private final List<String> commands = new CopyOnWriteArrayList<>();

  private ControlQueue queue(Duration answeredWithin) {
    return ControlQueue.create(file, "/dev/vhost-vdpa-9", answeredWithin, ledger);
  }

  @AfterEach
  void close() {
    queue.close();
    file.close();
    assertThat(ledger.describeOpen()).isEmpty();
  }

  /** Answers one command. */
  private CompletableFuture<Void> answering(int ack) {
    return CompletableFuture.runAsync(() -> {
      assertThat(queue.kick().await(Deadline.after(Duration.ofSeconds(20)))).isPositive();
      MemorySegment page = queue.memory().mapping().segment();
      long at = page.get(JAVA_LONG, 0) - queue.memory().region().guestAddress();
      byte[] command = page.asSlice(at, page.get(JAVA_INT, 8)).toArray(JAVA_BYTE);
      commands.add(HexFormat.of().formatHex(command));
      long answer = page.get(JAVA_LONG, 16) - queue.memory().region().guestAddress();
      page.set(JAVA_BYTE, answer, (byte) ack);
      page.set(JAVA_SHORT, USED, (short) (page.get(JAVA_SHORT, USED) + 1));
      queue.call().signal();
    });
  }

  @Test
  void commandsAreReadByTheDeviceAndAnsweredByIt() {
    queue.setUp(2);
    for (int i = 0; i < 20; i++) { // more than the ring has entries
      CompletableFuture<Void> device = answering(0);
      queue.command(new ControlCommand.Mac(new MacAddress(0x5254_0000_0000L + i)));
      device.join();
    }

    assertThat(commands).hasSize(20).startsWith("0101525400000000").endsWith("0101525400000013");
  }

  @Test
  void aQueueThatSharesItsGroupWithTheGuestsIsNotUsed() {
    group = 0;

    assertThatThrownBy(() -> queue.setUp(4))
        .isInstanceOf(BackEndRefusedException.class)
        .hasMessageContaining("its ring 4, the control queue, is not in a group of its own");
  }

  @Test
  void anErrorIsSaid() {
    queue.setUp(2);
    CompletableFuture<Void> device = answering(1);

    assertThatThrownBy(() -> queue.command(COMMAND))
        .isInstanceOf(UnchangedException.class)
        .hasMessage("/dev/vhost-vdpa-9 answered with 1 on its control queue: queue pairs 2");
    device.join();
  }

  /** The time is for the whole command: each call of the device does not begin it anew. */
  @Test
  @Timeout(60)
  void aDeviceThatCallsAndUsesNothingIsGivenUp() {
    queue.close();
    queue = queue(Duration.ZERO);
    queue.setUp(2);
    var given = new AtomicBoolean();
    CompletableFuture<Void> device =
        CompletableFuture.runAsync(() -> {
          while (!given.get()) {
            queue.call().signal();
          }
        });

    assertThatThrownBy(() -> queue.command(COMMAND))
        .isInstanceOf(DeadlineException.class)
        .hasMessageEndingWith("has not answered on its control queue within PT0S: queue pairs 2");
    given.set(true);
    device.join();
  }
}
