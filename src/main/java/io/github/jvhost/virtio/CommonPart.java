package io.github.jvhost.virtio;

import io.github.jvhost.Bytes;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * What a live device has whatever its kind: features and status, transport, and whether it is
 * broken.
 */
final class CommonPart {
  private final Negotiation negotiation;
  private final boolean legacyBigEndian;
  private TransportState transport;

  /** Any thread reads and clears bits; the device's owner sets them. */
  private final AtomicInteger isr = new AtomicInteger();

  private int queueSelect;
  private boolean disabled;
  private @Nullable String broken;

  CommonPart(Negotiation negotiation, TransportState transport, boolean legacyBigEndian) {
    this.negotiation = negotiation;
    this.transport = transport;
    this.legacyBigEndian = legacyBigEndian;
  }

  /** The same configuration and limits; nothing of the driver's. */
  CommonPart fresh() {
    return new CommonPart(negotiation.fresh(), transport.reset(), legacyBigEndian);
  }

  Negotiation negotiation() {
    return negotiation;
  }

  TransportState transport() {
    return transport;
  }

  /** What the driver wrote there; whether it is something else than before. */
  boolean transport(TransportState written) {
    if (!RestoreCheck.fits(written, transport)) {
      throw new IllegalArgumentException(
          written.describe() + ", this device is " + transport.describe());
    }
    TransportState before = transport;
    transport = written.withProxyFeatures(before.proxyFeatures());
    return !transport.equals(before);
  }

  /** Which MSI-X vector tells of changes of the config space. */
  int configVector() {
    return transport instanceof TransportState.Pci pci && pci.msix().isPresent()
        ? pci.msix().get().configVector()
        : SavedQueue.NO_VECTOR;
  }

  /** The driver assigns one; whether that is another one. */
  boolean configVector(int vector) {
    int before = configVector();
    transport = transport.withConfigVector(existing(vector));
    return configVector() != before;
  }

  /** The vector if the device has it; a driver reads back that it has got no other one. */
  int existing(int vector) {
    return vector >= 0 && vector < transport.vectors() ? vector : SavedQueue.NO_VECTOR;
  }

  int queueSelect() {
    return queueSelect;
  }

  /** The driver selects a ring; whether that is another one. */
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

  /** Whether these are other bits. */
  boolean isr(int bits) {
    return isr.getAndSet(bits & 0xFF) != (bits & 0xFF);
  }

  /** Clears some bits; the bits that were set before, all of them. */
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

  /** The same for a driver that has agreed upon these features. */
  ByteOrder order(long agreed) {
    return legacyBigEndian && !NetFeature.VERSION_1.in(agreed)
        ? ByteOrder.BIG_ENDIAN
        : ByteOrder.LITTLE_ENDIAN;
  }

  /** The driver acknowledges features; whether it still could. */
  boolean acknowledge(long features) {
    boolean taken = negotiation.acknowledge(features);
    if (taken) {
      transport = transport.withProxyFeatures(features);
    }
    return taken;
  }

  /** Why the device is broken; null = it is not. */
  @Nullable String broken() {
    return broken;
  }

  void markBroken(String why) {
    broken = why;
    negotiation.needsReset();
  }

  /** It is not broken, and goes on if it can. */
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
    // What the driver acknowledged beyond the offer decides on a FEATURES_OK that is still to come.
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
