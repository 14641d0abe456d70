package io.github.jvhost.virtio;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.GuestMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * A virtio-net device as its driver sees it: features, status, config space, rings and the control
 * queue. It knows nothing of vhost; whoever runs a back end for it listens to {@link #onChange} and
 * reads what is to be told.
 *
 * <p>Not thread-safe: the device has one serial owner, who makes every call, snapshots included.
 * Only what a driver reads in its interrupt handler, or needs for a kick, can be asked for by any
 * thread at any time, without waiting: {@link #interruptStatus()}, {@link #clearInterruptStatus},
 * {@link #readConfig}, {@link #status}, {@link #changes}, {@link #queueCount} and {@link
 * #controlQueue}.
 *
 * <p>What a driver writes never causes an exception: nonsense leaves a device that {@linkplain
 * #broken() needs a reset}.
 */
public final class VirtioNet {
  /** Entries of the control ring after a reset. */
  public static final int CONTROL_QUEUE_SIZE = 64;

  /** The largest ring that any device can have; of each it is {@link #maxRingSize}. */
  public static final int MAX_QUEUE_SIZE = 1024;

  private final String name;
  private final CommonPart common;
  private final Negotiation negotiation;
  private final NetPart net;
  private final NetControl control;
  private final Rings rings;
  private final List<Consumer<DeviceChange>> listeners = new ArrayList<>();

  /** The driver's acknowledgement of an interrupt counts too, on whichever thread it comes. */
  private final AtomicLong changes = new AtomicLong();

  /** Whether somebody runs a back end for it. */
  private boolean served;

  VirtioNet(String name, NetPart net, int queueSize, CommonPart common) {
    this.name = name;
    this.net = net;
    this.rings = new Rings(queueSize);
    this.common = common;
    this.negotiation = common.negotiation();
    this.control = new NetControl(this, net, common);
    makeRings();
  }

  /**
   * Describes a device.
   *
   * @param name what it is called in messages and in a migration: the same at both ends, and unique
   * @return a builder of a device with one queue pair, {@link VirtioNetBuilder#DEFAULT_FEATURES}
   *     and modern virtio-mmio
   */
  public static VirtioNetBuilder builder(String name) {
    return new VirtioNetBuilder(name);
  }

  /**
   * {@return a fresh device with this one's configuration, the limits of its back end, and the MTU
   * and the link as they are now; nothing of the driver's}
   */
  public VirtioNet twin() {
    return new VirtioNet(name, net.fresh(), rings.queueSize(), common.fresh());
  }

  /** {@return what the device is called in messages and in a migration} */
  public String name() {
    return name;
  }

  /** {@return the MAC address in use: the configured one, or what the driver changed it to} */
  public MacAddress mac() {
    return net.mac();
  }

  /** {@return the MTU that the device tells its driver, in bytes} */
  public int mtu() {
    return net.mtu();
  }

  /**
   * Changes the MTU.
   *
   * @param bytes 68 to 65535; listeners hear of it only if it was not so before
   */
  public void mtu(int bytes) {
    VirtioNetBuilder.checkMtu(bytes);
    if (bytes != net.mtu()) {
      net.mtu(bytes);
      changed(DeviceChange.MTU);
      changed(DeviceChange.CONFIG_INTERRUPT);
    }
  }

  /** {@return the most queue pairs that a driver can use, 1 to 511} */
  public int maxQueuePairs() {
    return net.maxQueuePairs();
  }

  /** {@return the queue pairs that the driver uses now, 1 to the maximum} */
  public int currentQueuePairs() {
    return net.currentQueuePairs();
  }

  /**
   * {@return the queue pairs that a back end is told} With MQ negotiated these are all of them,
   * used or not; else one.
   */
  public int backEndQueuePairs() {
    return negotiation.has(NetFeature.MQ) ? net.maxQueuePairs() : 1;
  }

  /**
   * {@return how many rings the device has, the control ring being the last: 2 * max + 1 with MQ
   * negotiated, else 3}
   */
  public int queueCount() {
    return rings.count();
  }

  /**
   * {@return the index of the control ring: the last one, so that it moves when MQ is negotiated}
   */
  public int controlQueue() {
    return rings.control();
  }

  /**
   * For whoever runs a back end for the device, of whom there is one at a time.
   *
   * @throws IllegalStateException somebody does already
   */
  public void beginService() {
    if (served) {
      throw new IllegalStateException(name + ": this device model has a back end already");
    }
    served = true;
  }

  /** Nobody runs a back end for the device any more; where nobody did this does nothing. */
  public void endService() {
    served = false;
  }

  /** {@return whether the link is up} */
  public boolean linkUp() {
    return net.statusBit(NetState.LINK_UP);
  }

  /**
   * Pulls the link, or puts it in again.
   *
   * @param up whether the link is to be up; listeners hear of it only if it was not so before
   */
  public void linkUp(boolean up) {
    if (up != linkUp()) {
      net.statusBit(NetState.LINK_UP, up);
      changed(DeviceChange.LINK);
      changed(DeviceChange.CONFIG_INTERRUPT);
    }
  }

  /**
   * {@return what the device offers, bits 0 to 63: what was configured, less what was withheld and
   * what the back end lacks}
   */
  public long deviceFeatures() {
    return negotiation.offered();
  }

  /**
   * Leaves of the configured features only those that the back end has, as far as it is asked about
   * them ({@link NetFeature#BACK_END}). Called after each connection.
   *
   * @param offered the back end's feature bits
   * @throws VhostException GIVE_UP, and nothing changes, when the driver has acknowledged a feature
   *     that would go
   */
  public void limitFeatures(long offered) {
    changes.addAndGet(negotiation.limit(name, offered) ? 1 : 0);
  }

  /**
   * Takes features out of what the device offers, whatever its back ends have, in addition to those
   * that were withheld before. To be called before the driver looks.
   *
   * @param mask feature bits 0 to 63; those that are not offered anyway do no harm
   * @throws VhostException GIVE_UP, and nothing changes, when the driver has acknowledged one
   */
  public void withholdFeatures(long mask) {
    changes.addAndGet(negotiation.withhold(name, mask) ? 1 : 0);
  }

  /** {@return what the driver acknowledged, among what is offered, bits 0 to 63} */
  public long driverFeatures() {
    return negotiation.agreed();
  }

  /**
   * {@return those of the acknowledged features that the back end is told, see {@link
   * NetFeature#BACK_END}}
   */
  public long backEndFeatures() {
    return driverFeatures() & NetFeature.BACK_END;
  }

  /** {@return whether the driver uses packed rings} */
  public boolean packed() {
    return negotiation.has(NetFeature.RING_PACKED);
  }

  /** {@return the device status, see {@link DeviceStatus}} */
  public int status() {
    return negotiation.status();
  }

  /** {@return whether the driver has made the device live and nothing has broken it} */
  public boolean live() {
    return (status() & DeviceStatus.DRIVER_OK) != 0 && !broken();
  }

  /** {@return whether the device needs a reset, because the driver did what it must not} */
  public boolean broken() {
    return common.broken() != null;
  }

  /**
   * {@return what the driver did that it must not, for messages; empty when the device is not
   * broken}
   */
  public Optional<String> whyBroken() {
    return Optional.ofNullable(common.broken());
  }

  /**
   * {@return how the device is attached, with what the driver wrote to the transport's registers}
   */
  public TransportState transport() {
    return common.transport();
  }

  /**
   * Keeps what the driver wrote to registers that mean nothing to this model (feature selects, PCI
   * config space, MSI-X table), so that a snapshot carries it. The features in it are not looked
   * at: {@link #setDriverFeatures} says them.
   *
   * @param written a transport of the same kind and size, as its registers are now
   * @throws IllegalArgumentException when it is another kind of transport than the device has
   */
  public void transport(TransportState written) {
    changes.addAndGet(common.transport(written) ? 1 : 0);
  }

  /**
   * {@return the ring that the driver selected last, 0 to 1023; 0 after a reset} The device need
   * not have it.
   */
  public int selectedQueue() {
    return common.queueSelect();
  }

  /**
   * The driver selects a ring; one that no device can have is ignored.
   *
   * @param ring index, 0 to 1023
   */
  public void selectQueue(int ring) {
    changes.addAndGet(common.queueSelect(ring) ? 1 : 0);
  }

  /**
   * {@return the interrupt status register, 8 bits, as {@link #interruptStatus(int)} and {@link
   * #clearInterruptStatus} left it; 0 after a reset} Any thread may ask.
   */
  public int interruptStatus() {
    return common.isr();
  }

  /**
   * Keeps the interrupt status register.
   *
   * @param bits 8 bits: bit 1 is a config space that changed. Bit 0, a ring that was used, is seen
   *     by nobody where calls are irqfds, and best left out.
   */
  public void interruptStatus(int bits) {
    changes.addAndGet(common.isr(bits) ? 1 : 0);
  }

  /**
   * The driver acknowledges interrupts: virtio-mmio's InterruptACK clears the bits that are written
   * to it, virtio-pci's ISR register clears all of them as it is read. Any thread may call it.
   *
   * @param bits which to clear, 8 bits
   * @return the register as it was before, all of it
   */
  public int clearInterruptStatus(int bits) {
    int before = common.clearIsr(bits);
    if ((before & bits) != 0) {
      changes.incrementAndGet();
    }
    return before;
  }

  /**
   * {@return the MSI-X vector that tells of changes of the config space, or {@link
   * SavedQueue#NO_VECTOR}}
   */
  public int configVector() {
    return common.configVector();
  }

  /**
   * The driver assigns an MSI-X vector to changes of the config space. A device that has no such
   * vector assigns none, which the driver reads back (virtio 1.2, 4.1.5.1.2.1).
   *
   * @param vector below the number of vectors of {@link #transport()}; any other takes it away
   */
  public void configVector(int vector) {
    changes.addAndGet(common.configVector(vector) ? 1 : 0);
  }

  /**
   * {@return the MSI-X vector that tells of used buffers in a ring, or {@link
   * SavedQueue#NO_VECTOR}}
   *
   * @param ring index, below {@link #queueCount()}
   */
  public int queueVector(int ring) {
    return rings.get(ring).vector();
  }

  /**
   * The driver assigns an MSI-X vector to a ring, before or after it sets it up. It is kept for a
   * snapshot: which interrupt a ring's call becomes is the VMM's matter. A device that has no such
   * vector assigns none, which the driver reads back (virtio 1.2, 4.1.5.1.2.1).
   *
   * @param ring index, below {@link #queueCount()}
   * @param vector below the number of vectors of {@link #transport()}; any other takes it away
   */
  public void queueVector(int ring, int vector) {
    changes.addAndGet(rings.get(ring).vector(common.existing(vector)) ? 1 : 0);
  }

  /** {@return whether a driver without VERSION_1 is big-endian, which a back end has to be told} */
  public boolean legacyBigEndian() {
    return common.legacyBigEndian();
  }

  /**
   * {@return a number that grows with every change to what a snapshot would hold: the same value
   * means the same snapshot}
   */
  public long changes() {
    return changes.get();
  }

  /**
   * Asks to be called after each change, on the owner's thread. There is no way to take this back.
   *
   * @param listener called before the change's method returns; what it throws goes to that method's
   *     caller, when the other listeners have heard of the change, too
   */
  public void onChange(Consumer<DeviceChange> listener) {
    listeners.add(Objects.requireNonNull(listener, "listener"));
  }

  /**
   * The driver acknowledges features. Ignored once they are agreed upon (FEATURES_OK) or the device
   * is live. Other features than before make other rings, none of them set up; a driver that writes
   * the same again keeps what it has set up.
   *
   * @param features all that the driver acknowledges, bits 0 to 63, in place of what it
   *     acknowledged before
   */
  public void setDriverFeatures(long features) {
    long before = driverFeatures();
    TransportState written = transport();
    if (!common.acknowledge(features)) {
      return;
    }
    if (driverFeatures() != before) {
      net.features(driverFeatures());
      makeRings();
      changed(DeviceChange.STATUS);
    } else {
      changes.addAndGet(transport().equals(written) ? 0 : 1);
    }
  }

  /**
   * The driver writes the status register. 0 resets the device. FEATURES_OK stays clear when the
   * driver acknowledged what was not offered or what needs another feature; DRIVER_OK stays clear
   * when a modern driver has not got there.
   *
   * @param value what the driver writes, see {@link DeviceStatus}: the register has 8 bits, and
   *     what is above them does not count, nor does NEEDS_RESET among them
   */
  public void setStatus(int value) {
    int written = value & 0xFF;
    if (written == 0) {
      common.reset();
      net.reset();
      makeRings();
      changed(DeviceChange.RESET);
    } else {
      takeWrittenFeatures(written);
      if (negotiation.writeStatus(written)) {
        changed(DeviceChange.STATUS);
      }
    }
  }

  /**
   * A state that QEMU saved before FEATURES_OK has the driver's features in the transport's
   * registers only: they become the device's now. Those of a driver that wrote them here are its
   * features already.
   */
  private void takeWrittenFeatures(int newStatus) {
    if ((newStatus & DeviceStatus.FEATURES_OK) != 0 && transport().modern()) {
      setDriverFeatures(transport().proxyFeatures());
    }
  }

  private void makeRings() {
    rings.make(backEndQueuePairs(), packed());
  }

  /**
   * The driver sets a ring up. A size or an address that virtio does not allow leaves a broken
   * device.
   *
   * @param ring index, below {@link #queueCount()}
   * @param size entries, 1 to {@link #maxRingSize}; a power of two for a split ring
   * @param desc guest-physical address, aligned to 16; 0 takes the ring down, which starts anew
   *     when the driver sets it up again
   * @param avail guest-physical address, aligned to 2 (packed: 4)
   * @param used guest-physical address, aligned to 4
   */
  public void configureQueue(int ring, int size, long desc, long avail, long used) {
    Ring target = rings.get(ring);
    if (!target.allows(size, desc, avail, used)) {
      markBroken(
          "ring %d of %d entries (of at most %d), or its addresses"
              .formatted(ring, size, target.maximum()));
      return;
    }
    target.configure(size, desc, avail, used, transport().modern());
    changed(DeviceChange.QUEUE);
  }

  /**
   * {@return what the driver has written to a ring's registers in the transport, whether the ring
   * is enabled or not yet; {@link SavedQueue.Proxy#NONE} without modern registers}
   *
   * @param ring index, below {@link #queueCount()}
   */
  public SavedQueue.Proxy queueRegisters(int ring) {
    return rings.get(ring).registers();
  }

  /**
   * Keeps what the driver writes to a ring's registers, one after the other, before it enables the
   * ring, so that a snapshot carries it. The ring stays as it is: {@link #configureQueue} sets it
   * up.
   *
   * @param ring index, below {@link #queueCount()}
   * @param written the registers as they are now; whether the ring is enabled is not taken from it
   * @throws IllegalStateException when the transport has no modern registers
   */
  public void queueRegisters(int ring, SavedQueue.Proxy written) {
    if (!transport().modern()) {
      throw new IllegalStateException(
          "device %s, ring %d: %s has no such registers"
              .formatted(name, ring, transport().describe()));
    }
    changes.addAndGet(rings.get(ring).registers(written) ? 1 : 0);
  }

  /**
   * The driver resets one ring of a live device (virtio 1.2, 2.6.1): it is not set up any more, and
   * starts anew when the driver sets it up again.
   *
   * @param ring index, below {@link #queueCount()}
   * @return false, and nothing changes, when the driver did not negotiate RING_RESET
   */
  public boolean resetQueue(int ring) {
    Ring target = rings.get(ring);
    if (!negotiation.has(NetFeature.RING_RESET)) {
      return false;
    }
    target.reset(packed());
    changed(DeviceChange.QUEUE_RESET);
    return true;
  }

  /**
   * {@return a ring as it is now}
   *
   * @param ring index, below {@link #queueCount()}
   */
  public QueueState queue(int ring) {
    return rings.get(ring).state();
  }

  /**
   * Says where the device goes on in a ring, as the back end told when it stopped. Of a ring that
   * is not set up, or not any more, nothing is kept.
   *
   * @param ring index, below {@link #queueCount()}
   * @param index where it goes on, of the kind of ring that the driver negotiated
   * @throws IllegalArgumentException for the index of the other kind of ring
   */
  public void setNextIndex(int ring, RingIndex index) {
    Ring target = rings.get(ring);
    if (index.isPacked() != packed()) {
      throw new IllegalArgumentException(
          "device " + name + ", ring " + ring + ": an index of the other kind of ring");
    }
    if (target.state().isSetUp()) {
      target.next(index);
      changes.incrementAndGet();
    }
  }

  /**
   * The driver reads the config space; what lies outside of it reads as zero. Any thread may ask; a
   * field is never half old and half new.
   *
   * @param offset in bytes, from the start of the config space
   * @param length how many bytes, not negative
   * @return so many bytes, in an array of the caller's own
   */
  public byte[] readConfig(int offset, int length) {
    if (length < 0) {
      throw new IllegalArgumentException(name + ": a read of " + length + " bytes");
    }
    return NetConfig.read(config(), offset, length);
  }

  /**
   * The driver writes the config space. Only a legacy driver's MAC address is taken, and only
   * without CTRL_MAC_ADDR.
   *
   * @param offset in bytes, from the start of the config space
   * @param bytes what the driver writes; what lies outside of the MAC address is ignored
   */
  public void writeConfig(int offset, byte[] bytes) {
    Objects.requireNonNull(bytes, "bytes");
    if (!negotiation.has(NetFeature.CTRL_MAC_ADDR) && !negotiation.has(NetFeature.VERSION_1)) {
      control.changeMac(NetConfig.writeMac(mac(), offset, bytes));
      control.rethrow();
    }
  }

  /**
   * Executes the commands that wait in the control ring. Where there were any, listeners hear
   * {@link DeviceChange#CONTROL_USED}: one of them interrupts the guest.
   *
   * @param memory the guest's, in which the ring and its buffers are
   * @return how many were completed, at most 4096 (then there may be more); 0 when the device is
   *     not live or has no control ring
   */
  public int serviceControlQueue(GuestMemory memory) {
    return serviceControlQueue(memory, () -> true);
  }

  /**
   * The same for a device whose back end acts by what a command changes: a driver that was answered
   * "done" may use its new queues at once, so the back end has to know of them before.
   *
   * @param memory the guest's, in which the ring and its buffers are
   * @param backEnd asked after a command has changed the number of queue pairs in use, and before
   *     that command is answered: tells the back end, and says whether it took it. Where it did
   *     not, or this throws, the change is undone and the driver gets an error. What this or a
   *     listener throws is thrown when all commands were answered
   * @return as above
   */
  public int serviceControlQueue(GuestMemory memory, BooleanSupplier backEnd) {
    QueueState ring = queue(controlQueue());
    if (!live() || !ring.ready() || !negotiation.has(NetFeature.CTRL_VQ)) {
      return 0;
    }
    Rings.Served served =
        rings.serveControl(
            memory,
            driverFeatures(),
            common.order(),
            (commandClass, command, data) -> control.execute(commandClass, command, data, backEnd));
    changes.addAndGet(served.completed());
    if (served.completed() > 0) {
      control.completed();
    }
    served.broke().ifPresent(control::broke);
    control.rethrow();
    return served.completed();
  }

  /**
   * Asks the driver to announce itself to the network, as after a migration.
   *
   * @return whether it can: it negotiated that, and is live
   */
  public boolean requestAnnounce() {
    if (!negotiation.canAnnounce() || !live()) {
      return false;
    }
    net.statusBit(NetState.ANNOUNCE, true);
    changed(DeviceChange.CONFIG_INTERRUPT);
    return true;
  }

  /** {@return everything that a migration carries for the device} */
  public VirtioNetState snapshot() {
    HostOffer offer = HostOffer.of(deviceFeatures());
    return new VirtioNetState(
        offer,
        transport(),
        common.save(config()),
        net.save(driverFeatures()),
        rings.save(offer, transport()));
  }

  /**
   * Takes a saved state in place of everything that the driver did. Where a live device's config
   * space is not what the state says that its driver has read (the link was down when it looked,
   * and is up here), listeners hear of a config interrupt.
   *
   * @param state of a device described alike, as {@link #snapshot} gave it
   * @throws VhostException GIVE_UP, and nothing changes, when the state does not fit this device:
   *     it says what differs
   */
  public void restore(VirtioNetState state) {
    requireFits(state);
    long features = state.common().features();
    boolean live = (state.common().status() & DeviceStatus.DRIVER_OK) != 0;
    boolean showsOtherwise = live && net.showsOtherwise(deviceFeatures(), common, state);
    rings.restore(state, NetFeature.RING_PACKED.in(features), NetFeature.VERSION_1.in(features));
    common.restore(state.common(), state.transport());
    net.restore(state.common(), common.order(), state.net());
    changed(DeviceChange.RESTORED);
    if (showsOtherwise) {
      changed(DeviceChange.CONFIG_INTERRUPT);
    }
  }

  /**
   * Makes sure that {@link #restore} would take a state; nothing changes.
   *
   * @param state of a device described alike, as {@link #snapshot} gave it
   * @throws VhostException GIVE_UP, when it does not fit this device: it says what differs
   */
  public void requireFits(VirtioNetState state) {
    RestoreCheck.check(this, state);
  }

  /**
   * {@return whether a ring is set up like this, wherever the device goes on in it} As {@link
   * #queue}, but allocates nothing.
   *
   * @param ring index, below {@link #queueCount()}
   * @param other what its size, addresses and readiness are compared with
   */
  public boolean isSetUpLike(int ring, QueueState other) {
    return rings.get(ring).isSetUpLike(other);
  }

  /**
   * {@return whether the driver has set a ring up} As {@link #queue}, but allocates nothing.
   *
   * @param ring index, below {@link #queueCount()}
   */
  public boolean isSetUp(int ring) {
    return rings.get(ring).desc() != 0;
  }

  /**
   * {@return how many entries a ring has} As {@link #queue}, but allocates nothing.
   *
   * @param ring index, below {@link #queueCount()}
   */
  public int ringSize(int ring) {
    return rings.get(ring).size();
  }

  /**
   * {@return the most entries that the driver may give a ring: what it reads from the queue size
   * register of virtio-pci after a reset, and from QueueNumMax of virtio-mmio (virtio 1.2, 4.1.4.3
   * and 4.2.2)} For a data ring that is {@link VirtioNetBuilder#queueSize}, for the control ring
   * {@value #CONTROL_QUEUE_SIZE}; a ring that was restored may keep a larger size.
   *
   * @param ring index, below {@link #queueCount()}
   */
  public int maxRingSize(int ring) {
    return rings.get(ring).maximum();
  }

  /**
   * {@return the guest-physical address of a ring's used part, which means something where the ring
   * is set up} As {@link #queue}, but allocates nothing.
   *
   * @param ring index, below {@link #queueCount()}
   */
  public long usedRing(int ring) {
    return rings.get(ring).used();
  }

  /**
   * {@return the guest-physical address of a ring's available part, as {@link #usedRing}}
   *
   * @param ring index, below {@link #queueCount()}
   */
  public long availableRing(int ring) {
    return rings.get(ring).avail();
  }

  /**
   * {@return the guest-physical address of a ring's descriptors, 0 where it is not set up} As
   * {@link #queue}, but allocates nothing.
   *
   * @param ring index, below {@link #queueCount()}
   */
  public long descriptorRing(int ring) {
    return rings.get(ring).desc();
  }

  /**
   * {@return where the device goes on in a ring, in the encoding of SET_VRING_BASE} Allocates
   * nothing.
   *
   * @param ring index, below {@link #queueCount()}
   */
  public int ringBase(int ring) {
    return rings.get(ring).base();
  }

  /**
   * Says where the device goes on in a ring, as {@link #setNextIndex} does, but allocates nothing.
   *
   * @param ring index, below {@link #queueCount()}
   * @param base in the encoding of SET_VRING_BASE; of a split ring the lower 16 bits count
   */
  public void setRingBase(int ring, int base) {
    Ring target = rings.get(ring);
    if (target.desc() != 0) {
      target.base(packed() ? base : base & 0xffff);
      changes.incrementAndGet();
    }
  }

  private byte[] config() {
    return net.config(deviceFeatures(), common.order());
  }

  /**
   * Says that the device needs a reset: for whoever runs a back end for it, and finds that what the
   * driver has set up cannot be served.
   *
   * @param why what the driver did that it must not, for messages
   */
  public void markBroken(String why) {
    common.markBroken(why);
    changed(DeviceChange.BROKEN);
    changed(DeviceChange.CONFIG_INTERRUPT);
  }

  /**
   * For a device that nobody serves any more: a driver that sees its link down needs no more, but
   * one that did not negotiate STATUS sees no link. Its device status gets NEEDS_RESET, with a
   * config interrupt (virtio 1.2, 2.1.1). The device is not broken: whoever serves it again goes on
   * where it was, for a driver that does not look at its status; the bit stays until a reset.
   *
   * @return whether the driver was told: not where it sees a link, has not made the device live, or
   *     is one from before virtio 1.0, which knows no such bit
   */
  public boolean askForReset() {
    if (!live() || negotiation.has(NetFeature.STATUS) || !negotiation.has(NetFeature.VERSION_1)) {
      return false;
    }
    common.needsReset();
    changed(DeviceChange.STATUS);
    changed(DeviceChange.CONFIG_INTERRUPT);
    return true;
  }

  void changed(DeviceChange change) {
    changes.incrementAndGet();
    tell(change, 0);
  }

  /** Each listener hears of it, whatever those before it throw. */
  private void tell(DeviceChange change, int from) {
    if (from < listeners.size()) { // without an iterator: it happens in stop windows
      try {
        listeners.get(from).accept(change);
      } finally {
        tell(change, from + 1);
      }
    }
  }
}
