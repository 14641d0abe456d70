package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.qemu.QemuSystem;
import io.github.jvhost.virtio.CommonState;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.VirtioNetState;
import io.github.jvhost.vmstate.QemuStreamReader;
import io.github.jvhost.vmstate.QemuStreamWriter;
import io.github.jvhost.vmstate.SectionBody;
import io.github.jvhost.vmstate.StreamRecord;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A QEMU whose device is live although no guest has ever run in it: it takes a stream that says so.
 *
 * <pre>
 *   QEMU, just switched on --stream--> its device is made live --stream'--> QEMU, waiting for it
 * </pre>
 */
final class QemuArrival {
  private static final long ACKED =
      NetFeature.maskOf(
          NetFeature.VERSION_1,
          NetFeature.MAC,
          NetFeature.STATUS,
          NetFeature.CTRL_VQ,
          NetFeature.MQ,
          NetFeature.MRG_RXBUF);

  private static final long RINGS_AT = 1 << 20;
  private static final long RING_BYTES = 0x4000;

  private static final int FIRMWARE_BYTES = 1 << 16;
  private static final int RESET_VECTOR = FIRMWARE_BYTES - 16;

  /** cli; hlt; jmp to the hlt. QEMU's own firmware would reset the device. */
  private static final byte[] DO_NOTHING = {(byte) 0xfa, (byte) 0xf4, (byte) 0xeb, (byte) 0xfd};

  private QemuArrival() {}

  /**
   * Starts one; its guest is stopped.
   *
   * @param backEnd of its device
   * @param directory for sockets and files
   * @return the caller's to close
   */
  static QemuSystem start(MockBackEnd backEnd, Path directory) {
    Path fresh = directory.resolve("fresh");
    Path live = directory.resolve("live");
    Path firmware = directory.resolve("firmware");
    try {
      Files.write(firmware, firmware());
      try (QemuSystem source =
          machine(backEnd, directory.resolve("from"), firmware).start(QemuBench.deadline())) {
        source.migrateTo(fresh, QemuBench.deadline());
      }
      makeLive(fresh, live);
      QemuSystem target =
          machine(backEnd, directory.resolve("to"), firmware)
              .incoming()
              .start(QemuBench.deadline());
      try {
        target.migrateFrom(live, QemuBench.deadline());
        return target;
      } catch (RuntimeException e) {
        target.close();
        throw e;
      }
    } catch (IOException e) {
      throw new VhostException("a stream for QEMU: " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }

  private static QemuSystem.Builder machine(MockBackEnd backEnd, Path monitor, Path firmware) {
    return QemuSystem.builder(backEnd.socket(), monitor)
        .queuePairs(QemuBench.PAIRS)
        .firmware(firmware);
  }

  private static byte[] firmware() {
    byte[] image = new byte[FIRMWARE_BYTES];
    System.arraycopy(DO_NOTHING, 0, image, RESET_VECTOR, DO_NOTHING.length);
    return image;
  }

  private static void makeLive(Path from, Path to) throws IOException {
    try (InputStream in = new BufferedInputStream(Files.newInputStream(from));
        OutputStream out = new BufferedOutputStream(Files.newOutputStream(to))) {
      var writer = new QemuStreamWriter(out);
      QemuStreamReader reader = QemuStreamReader.builder().ram(writer.ram()).open(in);
      for (var next = reader.next(); next.isPresent(); next = reader.next()) {
        writer.write(
            next.get() instanceof StreamRecord.Section(var header, SectionBody.VirtioNet(var state))
                ? new StreamRecord.Section(header, new SectionBody.VirtioNet(live(state)))
                : next.get());
      }
    }
  }

  /** Every ring is set up and empty: memory has nothing but zeros where they are. */
  private static VirtioNetState live(VirtioNetState fresh) {
    CommonState common = fresh.common().withStatus(DeviceStatus.RUNNING).withFeatures(ACKED, 0);
    int rings = 2 * QemuBench.PAIRS;
    List<SavedQueue> queues = new ArrayList<>(rings + 1);
    for (int i = 0; i < rings; i++) {
      queues.add(ring(fresh.queue(0), RINGS_AT + i * RING_BYTES));
    }
    queues.add(fresh.queue(2)); // the control ring stands behind the pairs once MQ is acked
    return new VirtioNetState(
        fresh.offer(),
        fresh.transport().withProxyFeatures(ACKED),
        common,
        fresh.net().withQueuePairs(QemuBench.PAIRS),
        queues);
  }

  private static SavedQueue ring(SavedQueue fresh, long at) {
    long avail = at + 0x1000;
    long used = at + 0x2000;
    return new SavedQueue(
        fresh.size(),
        fresh.defaultSize(),
        fresh.align(),
        at,
        0,
        fresh.vector(),
        avail,
        used,
        fresh.packed(),
        new SavedQueue.Proxy(fresh.size(), true, at, avail, used));
  }
}
