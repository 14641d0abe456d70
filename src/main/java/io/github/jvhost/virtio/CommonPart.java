package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The part of a live device that every virtio device has: features and status, transport, and
 * whether it is broken.
 */
final class CommonPart {
  private final Negotiation negotiation;
  private final boolean legacyBigEndian;
  private TransportState transport;

  /** Bit 1 of the interrupt status: the config space changed (virtio 1.2, 4.1.4.5). */
  private static final int CONFIG_CHANGED = 2;

  /** Any thread may read and clear bits. Only the device's owner sets them. */
  private final AtomicInteger isr = new AtomicInteger();

  private int queueSelect;
  private boolean disabled;
  private @Nullable String broken;

  CommonPart(Negotiation negotiation, TransportState transport, boolean legacyBigEndian) {
    this.negotiation = negotiation;
    this.transport = transport;
    this.legacyBigEndian = legacyBigEndian;
  }

  /** A copy with the same configuration and limits, without the driver's state. */
  CommonPart resetCopy() {
    return new CommonPart(negotiation.resetCopy(), transport.reset(), legacyBigEndian);
  }

  Negotiation negotiation() {
    return negotiation;
  }

  TransportState transport() {
    return transport;
  }

  /** Stores what the driver wrote to the transport. Returns whether that is a change. */
  boolean transport(TransportState written) {
    if (!RestoreCheck.fits(written, transport)) {
      throw new IllegalArgumentException(
          written.describe() + ", this device is " + transport.describe());
    }
    TransportState before = transport;
    transport = written.withProxyFeatures(before.proxyFeatures());
    return !transport.equals(before);
  }

  /** The MSI-X vector for changes of the config space. */
  int configVector() {
    return transport instanceof TransportState.Pci pci && pci.msix().isPresent()
        ? pci.msix().get().configVector()
        : SavedQueue.NO_VECTOR;
  }

  /** The driver assigns that vector. Returns whether that is a change. */
  boolean configVector(int vector) {
    int before = configVector();
    transport = transport.withConfigVector(existing(vector));
    return configVector() != before;
  }

  /** The vector if the device has it, else NO_VECTOR, which the driver reads back. */
  int existing(int vector) {
    return vector >= 0 && vector < transport.vectors() ? vector : SavedQueue.NO_VECTOR;
  }

  int queueSelect() {
    return queueSelect;
  }

  /** The driver selects a ring. Returns whether that is a change. */
  boolean queueSelect(int ring) {
    int before = queueSelect;
    if (ring >= 0 && ring < VirtioNetState.MAX_QUEUES) {
      queueSelect = ring;
    }
    return queueSelect != before;
  }

  int isr() {
    return isr.get();
  }

  /** Stores the bits. Returns whether that is a change. */
  boolean isr(int bits) {
    return isr.getAndSet(bits & 0xFF) != (bits & 0xFF);
  }

  /** The driver is about to be interrupted because the config space changed. */
  void configInterrupt() {
    int before;
    do {
      before = isr.get();
    } while (!isr.compareAndSet(before, before | CONFIG_CHANGED));
  }

  /** Clears some bits. Returns all bits that were set before. */
  int clearIsr(int bits) {
    int before;
    do {
      before = isr.get();
    } while (!isr.compareAndSet(before, before & ~bits));
    return before;
  }

  boolean legacyBigEndian() {
    return legacyBigEndian;
  }

  /** The order of numbers in the config space, in a split ring and in commands. */
  ByteOrder order() {
    return order(negotiation.agreed());
  }

  /** The same for a driver that has negotiated these features. */
  ByteOrder order(long agreed) {
    return legacyBigEndian && !NetFeature.VERSION_1.in(agreed)
        ? ByteOrder.BIG_ENDIAN
        : ByteOrder.LITTLE_ENDIAN;
  }

  /** The driver acknowledges features. Returns false if it is too late for that. */
  boolean acknowledge(long features) {
    boolean taken = negotiation.acknowledge(features);
    if (taken) {
      transport = transport.withProxyFeatures(features);
    }
    return taken;
  }

  /** Why the device is broken; null if it is not. */
  @Nullable String broken() {
    return broken;
  }

  void markBroken(String why) {
    broken = why;
    negotiation.needsReset();
  }

  /** Asks the driver for a reset. The device is not broken and goes on. */
  void needsReset() {
    negotiation.needsReset();
  }

  void reset() {
    negotiation.reset();
    isr.set(0);
    queueSelect = 0;
    broken = null;
    transport = transport.reset();
  }

  CommonState save(byte[] config) {
    int status = negotiation.status();
    return new CommonState(
        status,
        isr.get(),
        queueSelect,
        negotiation.agreed(),
        0,
        Bytes.copyOf(config),
        order() == ByteOrder.BIG_ENDIAN ? CommonState.Endian.BIG : CommonState.Endian.USUAL,
        broken != null,
        (status & DeviceStatus.DRIVER_OK) != 0,
        disabled);
  }

  void restore(CommonState saved, TransportState savedTransport) {
    // Before FEATURES_OK, keep also acknowledged features that are not offered: they make the
    // device refuse FEATURES_OK.
    boolean agreed = (saved.status() & DeviceStatus.FEATURES_OK) != 0;
    long beyond = agreed ? 0 : savedTransport.proxyFeatures() & ~negotiation.offered();
    negotiation.set(saved.features() | beyond, saved.status());
    isr.set(saved.isr());
    queueSelect = saved.queueSelect();
    broken = saved.broken() ? "it was saved so" : null;
    disabled = saved.disabled();
    transport = savedTransport;
  }
}
