package io.github.jvhost.virtio;

import io.github.jvhost.VhostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Objects;

/**
 * The registers of virtio-mmio, version 2 (virtio 1.2, 4.2.2): a device at its own guest addresses.
 * The VMM passes on each access of KVM_EXIT_MMIO.
 *
 * <pre>
 *   000 MagicValue  R    014 DeviceFeaturesSel W   038 QueueNum    W    080 QueueDescLow/High   W
 *   004 Version     R    020 DriverFeatures    W   044 QueueReady  RW   090 QueueDriverLow/High W
 *   008 DeviceID    R    024 DriverFeaturesSel W   050 QueueNotify W    0a0 QueueDeviceLow/High W
 *   00c VendorID    R    030 QueueSel          W   0c0 QueueReset  RW   0b0 SHMLen, 0b8 SHMBase R
 *   010 DeviceFeatures   034 QueueNumMax       R   070 Status      RW   0fc ConfigGeneration    R
 *                   R    060 InterruptStatus   R   064 InterruptACK W   100 config space ...    RW
 * </pre>
 *
 * <p>No access of a driver throws an exception for its content. If an access has not four bytes, is
 * not aligned, or has no register at its offset, a read gives zero and a write changes nothing.
 * After a driver sets up a ring that virtio does not allow, the device {@linkplain
 * VirtioNet#broken() needs a reset}.
 *
 * <p>Thread-safe: each vCPU calls it on its own thread. The accesses of an interrupt handler never
 * wait: InterruptStatus, InterruptACK, Status (read), ConfigGeneration and the config space (read).
 * A notification of a data ring never waits either. Other accesses may wait in {@link
 * DeviceOwner#access} and {@link DeviceOwner#read}.
 *
 * <p>It has no state of its own. The model has all that the driver has written, also for a ring
 * that is not enabled yet. So a snapshot of the model is complete, and a driver can be migrated
 * between two writes.
 */
public final class VirtioMmio {
  /** How many bytes of guest address space the registers need. A VMM may reserve more. */
  public static final int SIZE = 0x200;

  private static final int MAGIC_VALUE = 0x00;
  private static final int VERSION = 0x04;
  private static final int DEVICE_ID = 0x08;
  private static final int DEVICE_FEATURES = 0x10;
  private static final int DEVICE_FEATURES_SEL = 0x14;
  private static final int DRIVER_FEATURES = 0x20;
  private static final int DRIVER_FEATURES_SEL = 0x24;
  private static final int QUEUE_SEL = 0x30;
  private static final int QUEUE_NUM_MAX = 0x34;
  private static final int QUEUE_NUM = 0x38;
  private static final int QUEUE_READY = 0x44;
  private static final int QUEUE_NOTIFY = 0x50;
  private static final int INTERRUPT_STATUS = 0x60;
  private static final int INTERRUPT_ACK = 0x64;
  private static final int STATUS = 0x70;
  private static final int QUEUE_DESC_LOW = 0x80;
  private static final int QUEUE_DESC_HIGH = 0x84;
  private static final int QUEUE_DRIVER_LOW = 0x90;
  private static final int QUEUE_DRIVER_HIGH = 0x94;
  private static final int QUEUE_DEVICE_LOW = 0xa0;
  private static final int QUEUE_DEVICE_HIGH = 0xa4;
  private static final int SHM_LEN_LOW = 0xb0;
  private static final int SHM_LEN_HIGH = 0xb4;
  private static final int SHM_BASE_LOW = 0xb8;
  private static final int SHM_BASE_HIGH = 0xbc;
  private static final int QUEUE_RESET = 0xc0;
  private static final int CONFIG_GENERATION = 0xfc;
  private static final int CONFIG = 0x100;

  private static final int MAGIC = 0x74726976; // "virt"
  private static final int MODERN = 2;
  private static final int NETWORK_CARD = 1;
  private static final int USED_BUFFER = 1;

  private final DeviceOwner device;
  private final VirtioNet model;
  private final Runnable interrupt;

  /**
   * Makes the registers of a device. Make one such object per device, before the guest runs. It
   * listens to the model for ever.
   *
   * @param device owns the model; the caller closes it
   * @param interrupt interrupts the guest with the interrupt that the rings' calls use too: the
   *     config space has changed, or a command in the control ring is done. InterruptStatus says so
   *     before. Called as a listener of the model ({@link VirtioNet#onChange}): with {@code
   *     VhostNet} without the device's lock. A vCPU waits for it, so it returns soon
   * @throws IllegalArgumentException when the device is not a modern virtio-mmio device
   */
  public VirtioMmio(DeviceOwner device, Runnable interrupt) {
    this.device = Objects.requireNonNull(device, "device");
    this.interrupt = Objects.requireNonNull(interrupt, "interrupt");
    this.model = device.model();
    device.read(nic -> {
      if (!(nic.transport() instanceof TransportState.Mmio mmio) || !mmio.modern()) {
        throw new IllegalArgumentException(
            "device %s is attached as %s; these are the registers of modern mmio"
                .formatted(nic.name(), nic.transport().describe()));
      }
      nic.onChange(this::changed);
      return mmio;
    });
  }

  private void changed(DeviceChange change) {
    switch (change) {
      case CONFIG_INTERRUPT, CONTROL_USED -> interrupt.run(); // InterruptStatus was set before
      default -> {}
    }
  }

  /**
   * Handles a read of the guest.
   *
   * @param offset in bytes, from the start of the registers; any value
   * @param into receives as many bytes as the guest reads, the lowest address first; all of it is
   *     filled
   */
  public void read(long offset, byte[] into) {
    Arrays.fill(into, (byte) 0);
    if (offset >= CONFIG && offset < SIZE) {
      byte[] config = model.readConfig((int) offset - CONFIG, into.length);
      System.arraycopy(config, 0, into, 0, into.length);
    } else if (isRegister(offset, into)) {
      little(into).putInt(value((int) offset));
    }
  }

  /**
   * Handles a write of the guest. When this returns, the device's owner has acted on it.
   *
   * @param offset in bytes, from the start of the registers; any value
   * @param from what the guest writes, the lowest address first; it is only read, and not kept
   * @throws VhostException (RETRY) when the device's owner was busy for too long: nothing was done,
   *     and the VMM has to repeat the access
   * @throws IllegalStateException the device's owner is closed
   */
  public void write(long offset, byte[] from) {
    if (offset >= CONFIG && offset < SIZE) {
      device.access(() -> model.writeConfig((int) offset - CONFIG, from));
    } else if (isRegister(offset, from)) {
      written((int) offset, little(from).getInt());
    }
  }

  /** A driver has to access registers as aligned 32-bit numbers (virtio 1.2, 4.2.2.2). */
  private static boolean isRegister(long offset, byte[] bytes) {
    return offset >= 0 && offset < CONFIG && offset % 4 == 0 && bytes.length == Integer.BYTES;
  }

  private int value(int offset) {
    return switch (offset) {
      case MAGIC_VALUE -> MAGIC;
      case VERSION -> MODERN;
      case DEVICE_ID -> NETWORK_CARD;
      // Calls go to the guest as irqfds, which this class does not see. So any ring may have been
      // used.
      case INTERRUPT_STATUS -> USED_BUFFER | model.interruptStatus();
      case STATUS -> model.status();
      case CONFIG_GENERATION -> (int) model.changes();
      // Without shared memory the length reads as -1 (virtio 1.2, 4.2.2.1).
      case SHM_LEN_LOW, SHM_LEN_HIGH, SHM_BASE_LOW, SHM_BASE_HIGH -> -1;
      case DEVICE_FEATURES -> device.read(VirtioMmio::selectedFeatures);
      case QUEUE_NUM_MAX ->
          device.read(nic -> selectedExists(nic) ? nic.maxRingSize(nic.selectedQueue()) : 0);
      case QUEUE_READY ->
          device.read(nic -> selectedExists(nic) && nic.isSetUp(nic.selectedQueue()) ? 1 : 0);
      default -> 0; // VendorID; QueueReset, because a reset is complete when its write returns
    };
  }

  private static int selectedFeatures(VirtioNet nic) {
    return switch (registers(nic).hostFeaturesSelect()) {
      case 0 -> (int) nic.deviceFeatures();
      case 1 -> (int) (nic.deviceFeatures() >>> 32);
      default -> 0;
    };
  }

  private void written(int offset, int value) {
    switch (offset) {
      case QUEUE_NOTIFY -> notified(value);
      case INTERRUPT_ACK -> model.clearInterruptStatus(value);
      case STATUS -> device.access(() -> model.setStatus(value));
      case DEVICE_FEATURES_SEL ->
          device.access(() -> select(value, registers(model).guestFeaturesSelect()));
      case DRIVER_FEATURES_SEL ->
          device.access(() -> select(registers(model).hostFeaturesSelect(), value));
      case DRIVER_FEATURES -> device.access(() -> acknowledged(value));
      case QUEUE_SEL -> device.access(() -> model.selectQueue(value));
      case QUEUE_NUM,
          QUEUE_READY,
          QUEUE_RESET,
          QUEUE_DESC_LOW,
          QUEUE_DESC_HIGH,
          QUEUE_DRIVER_LOW,
          QUEUE_DRIVER_HIGH,
          QUEUE_DEVICE_LOW,
          QUEUE_DEVICE_HIGH ->
          device.access(() -> {
            if (selectedExists(model)) {
              ringWritten(model.selectedQueue(), offset, value);
            }
          });
      default -> {} // read-only, or reserved
    }
  }

  /**
   * With KVM, ioeventfds handle the notifications of data rings. The control ring has no ioeventfd.
   * Without KVM no ring has one.
   */
  private void notified(int ring) {
    int control = model.controlQueue();
    if (ring == control) {
      device.serviceControlQueue();
    } else if (ring >= 0 && ring < control) {
      device.kick(ring);
    }
  }

  private void select(int hostFeatures, int guestFeatures) {
    TransportState.Mmio now = registers(model);
    model.transport(
        new TransportState.Mmio(
            true, hostFeatures, guestFeatures, now.guestPageShift(), now.proxyFeatures()));
  }

  private void acknowledged(int half) {
    TransportState.Mmio now = registers(model);
    switch (now.guestFeaturesSelect()) {
      case 0 -> model.setDriverFeatures(withLow(now.proxyFeatures(), half));
      case 1 -> model.setDriverFeatures(withHigh(now.proxyFeatures(), half));
      default -> {} // this device has 64 features
    }
  }

  private void ringWritten(int ring, int offset, int value) {
    SavedQueue.Proxy now = model.queueRegisters(ring);
    switch (offset) {
      case QUEUE_READY -> {
        if (value == 0) {
          model.configureQueue(ring, model.ringSize(ring), 0, 0, 0);
        } else {
          model.configureQueue(ring, now.size(), now.desc(), now.avail(), now.used());
        }
      }
      case QUEUE_RESET -> {
        if (value == 1) {
          model.resetQueue(ring);
        }
      }
      default -> model.queueRegisters(ring, with(now, offset, value));
    }
  }

  private static SavedQueue.Proxy with(SavedQueue.Proxy now, int offset, int value) {
    int size = now.size();
    long desc = now.desc();
    long avail = now.avail();
    long used = now.used();
    switch (offset) {
      // Every valid size is below 0xffff.
      case QUEUE_NUM -> size = (int) Math.min(Integer.toUnsignedLong(value), 0xffff);
      case QUEUE_DESC_LOW -> desc = withLow(desc, value);
      case QUEUE_DESC_HIGH -> desc = withHigh(desc, value);
      case QUEUE_DRIVER_LOW -> avail = withLow(avail, value);
      case QUEUE_DRIVER_HIGH -> avail = withHigh(avail, value);
      case QUEUE_DEVICE_LOW -> used = withLow(used, value);
      case QUEUE_DEVICE_HIGH -> used = withHigh(used, value);
      default -> {}
    }
    return new SavedQueue.Proxy(size, now.enabled(), desc, avail, used);
  }

  private static boolean selectedExists(VirtioNet nic) {
    return nic.selectedQueue() < nic.queueCount();
  }

  private static TransportState.Mmio registers(VirtioNet nic) {
    return (TransportState.Mmio) nic.transport();
  }

  private static long withLow(long both, int low) {
    return (both & ~0xffff_ffffL) | Integer.toUnsignedLong(low);
  }

  private static long withHigh(long both, int high) {
    return (both & 0xffff_ffffL) | ((long) high << 32);
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
