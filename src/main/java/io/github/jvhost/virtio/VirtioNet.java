package io.github.jvhost.virtio;

import io.github.jvhost.VhostException;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * A virtio-net device as its driver sees it: features, status, config space, rings and the control
 * queue. It does not depend on vhost. The code that runs a back end for it listens to {@link
 * #onChange}, and reads from the device what to send.
 *
 * <p>Not thread-safe: the device has one owner, which makes all calls one after the other,
 * snapshots included. Any thread may call the methods that a driver needs in its interrupt handler
 * or for a kick. They never wait: {@link #interruptStatus()}, {@link #clearInterruptStatus}, {@link
 * #readConfig}, {@link #status}, {@link #changes}, {@link #queueCount} and {@link #controlQueue}.
 *
 * <p>What a driver writes never causes an exception. After an invalid write the device {@linkplain
 * #broken() needs a reset}.
 */
public final class VirtioNet {
  /** Entries of the control ring after a reset. */
  public static final int CONTROL_QUEUE_SIZE = 64;

  /** The largest ring that any device can have. The limit of one ring is {@link #maxRingSize}. */
  public static final int MAX_QUEUE_SIZE = 1024;

  private final String name;
  private final CommonPart common;
  private final Negotiation negotiation;
  private final NetPart net;
  private final NetControl control;
  private final Rings rings;
  private final List<Consumer<DeviceChange>> listeners = new ArrayList<>();

  /** Atomic, because the driver acknowledges interrupts on any thread. */
  private final AtomicLong changes = new AtomicLong();

  /** Whether a back end runs for it. */
  private boolean inService;

  /** Hears of each change at once: the code that runs a back end. */
  private Consumer<DeviceChange> service = _ -> {};

  /** Makes the calls of the listeners. */
  private Executor listenerCalls = Runnable::run;

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
   * Starts the description of a device.
   *
   * @param name its name in messages and in a migration: the same at both ends, and unique
   * @return a builder of a device with one queue pair, {@link VirtioNetBuilder#DEFAULT_FEATURES}
   *     and modern virtio-mmio
   */
  public static VirtioNetBuilder builder(String name) {
    return new VirtioNetBuilder(name);
  }

  /**
   * {@return a new device with this one's configuration, back-end limits, current MTU and current
   * link, but without the driver's state}
   */
  public VirtioNet twin() {
    return new VirtioNet(name, net.resetCopy(), rings.queueSize(), common.resetCopy());
  }

  /** {@return the device's name in messages and in a migration} */
  public String name() {
    return name;
  }

  /** {@return what the driver has set by commands on its control queue} */
  public ControlState controlState() {
    return net.control();
  }

  /** {@return the current MAC address: the configured one, unless the driver changed it} */
  public MacAddress mac() {
    return net.mac();
  }

  /** {@return the MTU that the device shows to its driver, in bytes} */
  public int mtu() {
    return net.mtu();
  }

  /**
   * Changes the MTU.
   *
   * @param bytes 68 to 65535; listeners are called only if this is a change
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
   * {@return the queue pairs that are sent to a back end} With MQ negotiated these are all pairs,
   * used or not; else one.
   */
  public int backEndQueuePairs() {
    return negotiation.has(NetFeature.MQ) ? net.maxQueuePairs() : 1;
  }

  /**
   * {@return how many rings the device has, including the control ring: 2 * max + 1 with MQ
   * negotiated, else 3}
   */
  public int queueCount() {
    return rings.count();
  }

  /**
   * {@return the index of the control ring, which is the last ring; it changes when MQ is
   * negotiated}
   */
  public int controlQueue() {
    return rings.control();
  }

  /**
   * Marks the device as used by a back end. One back end at a time may use it; the code that runs
   * the back end calls this.
   *
   * @throws IllegalStateException when a back end already uses the device
   */
  public void beginService() {
    if (inService) {
      throw new IllegalStateException(name + ": this device model has a back end already");
    }
    inService = true;
  }

  /**
   * Says how the code that runs a back end hears of changes, until {@link #endService}. It calls
   * this after {@link #beginService}.
   *
   * @param first called with each change, before the method that makes the change returns and
   *     before any listener
   * @param calls makes each call of a listener, in this order: at once, or later, when the owner
   *     has released the device. It handles the listeners' exceptions
   */
  public void serveChanges(Consumer<DeviceChange> first, Executor calls) {
    service = Objects.requireNonNull(first, "first");
    listenerCalls = Objects.requireNonNull(calls, "calls");
  }

  /** Ends the use by a back end. Does nothing if no back end uses the device. */
  public void endService() {
    inService = false;
    service = _ -> {};
    listenerCalls = Runnable::run;
  }

  /** {@return whether the link is up} */
  public boolean linkUp() {
    return net.statusBit(NetState.LINK_UP);
  }

  /**
   * Sets the link up or down.
   *
   * @param up whether the link is to be up; listeners are called only if this is a change
   */
  public void linkUp(boolean up) {
    if (up != linkUp()) {
      net.statusBit(NetState.LINK_UP, up);
      changed(DeviceChange.LINK);
      changed(DeviceChange.CONFIG_INTERRUPT);
    }
  }

  /**
   * {@return the features that the device offers, bits 0 to 63: the configured ones, without those
   * that were withheld or that the back end lacks}
   */
  public long deviceFeatures() {
    return negotiation.offered();
  }

  /**
   * Limits the offer to features that the back end has. Only the bits of {@link
   * NetFeature#BACK_END} are limited. Called after each connection.
   *
   * @param offered the back end's feature bits
   * @throws VhostException GIVE_UP, and nothing changes, when the driver has acknowledged a feature
   *     that the offer would lose
   */
  public void limitFeatures(long offered) {
    changes.addAndGet(negotiation.limit(name, offered) ? 1 : 0);
  }

  /**
   * Removes features from the offer, whether or not the back end has them, in addition to those
   * that were withheld before. Call it before the driver reads the features.
   *
   * @param mask feature bits 0 to 63; bits that are not offered are ignored
   * @throws VhostException GIVE_UP, and nothing changes, when the driver has acknowledged one of
   *     them
   */
  public void withholdFeatures(long mask) {
    changes.addAndGet(negotiation.withhold(name, mask) ? 1 : 0);
  }

  /** {@return the features that are offered and acknowledged, bits 0 to 63} */
  public long driverFeatures() {
    return negotiation.agreed();
  }

  /**
   * {@return the acknowledged features that are sent to the back end, see {@link
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

  /** {@return whether the driver has made the device live and the device is not broken} */
  public boolean live() {
    return (status() & DeviceStatus.DRIVER_OK) != 0 && !broken();
  }

  /** {@return whether the device needs a reset, because the driver broke a rule of virtio} */
  public boolean broken() {
    return common.broken() != null;
  }

  /** {@return which rule the driver broke, for messages; empty when the device is not broken} */
  public Optional<String> whyBroken() {
    return Optional.ofNullable(common.broken());
  }

  /**
   * {@return how the device is attached, with the values that the driver wrote to the transport's
   * registers}
   */
  public TransportState transport() {
    return common.transport();
  }

  /**
   * Stores what the driver wrote to registers that this model does not interpret (feature selects,
   * PCI config space, MSI-X table), so that a snapshot includes it. The features in it have no
   * effect: {@link #setDriverFeatures} sets them.
   *
   * @param written a transport of the same kind and size, with the current registers
   * @throws IllegalArgumentException when the device has another kind of transport
   */
  public void transport(TransportState written) {
    changes.addAndGet(common.transport(written) ? 1 : 0);
  }

  /**
   * {@return the ring that the driver selected last, 0 to 1023; 0 after a reset} The device may
   * have fewer rings.
   */
  public int selectedQueue() {
    return common.queueSelect();
  }

  /**
   * The driver selects a ring. An index outside of the range is ignored.
   *
   * @param ring index, 0 to 1023
   */
  public void selectQueue(int ring) {
    changes.addAndGet(common.queueSelect(ring) ? 1 : 0);
  }

  /**
   * {@return the interrupt status register, 8 bits, as set by {@link #interruptStatus(int)} and
   * {@link #clearInterruptStatus}; 0 after a reset} Any thread may call it.
   */
  public int interruptStatus() {
    return common.isr();
  }

  /**
   * Sets the interrupt status register. The device itself sets bit 1 before each {@link
   * DeviceChange#CONFIG_INTERRUPT}.
   *
   * @param bits 8 bits. Bit 1: the config space changed. Bit 0: a ring was used; leave it out where
   *     calls are irqfds, because then nobody sees it
   */
  public void interruptStatus(int bits) {
    changes.addAndGet(common.isr(bits) ? 1 : 0);
  }

  /**
   * The driver acknowledges interrupts. A write to virtio-mmio's InterruptACK clears the written
   * bits; a read of virtio-pci's ISR register clears all bits. Any thread may call it.
   *
   * @param bits the bits to clear, 8 bits
   * @return the whole register before the call
   */
  public int clearInterruptStatus(int bits) {
    int before = common.clearIsr(bits);
    if ((before & bits) != 0) {
      changes.incrementAndGet();
    }
    return before;
  }

  /** {@return the MSI-X vector for changes of the config space, or {@link SavedQueue#NO_VECTOR}} */
  public int configVector() {
    return common.configVector();
  }

  /**
   * The driver assigns an MSI-X vector to changes of the config space. If the device does not have
   * the vector, it assigns none, which the driver reads back (virtio 1.2, 4.1.5.1.2.1).
   *
   * @param vector below the number of vectors of {@link #transport()}; any other value removes the
   *     assignment
   */
  public void configVector(int vector) {
    changes.addAndGet(common.configVector(vector) ? 1 : 0);
  }

  /**
   * {@return the MSI-X vector for used buffers in a ring, or {@link SavedQueue#NO_VECTOR}}
   *
   * @param ring index, below {@link #queueCount()}
   */
  public int queueVector(int ring) {
    return rings.get(ring).vector();
  }

  /**
   * The driver assigns an MSI-X vector to a ring, before or after it sets the ring up. The device
   * keeps it for a snapshot; the VMM decides which interrupt a ring's call raises. If the device
   * does not have the vector, it assigns none, which the driver reads back (virtio 1.2,
   * 4.1.5.1.2.1).
   *
   * @param ring index, below {@link #queueCount()}
   * @param vector below the number of vectors of {@link #transport()}; any other value removes the
   *     assignment
   */
  public void queueVector(int ring, int vector) {
    changes.addAndGet(rings.get(ring).vector(common.existing(vector)) ? 1 : 0);
  }

  /** {@return whether a driver without VERSION_1 is big-endian} A back end needs to know it. */
  public boolean legacyBigEndian() {
    return common.legacyBigEndian();
  }

  /**
   * {@return a number that grows with every change of the state in a snapshot: the same number
   * means the same snapshot}
   */
  public long changes() {
    return changes.get();
  }

  /**
   * Adds a listener, which is called with each change, in the order of the changes. It cannot be
   * removed.
   *
   * <p>While {@code VhostNet} runs a back end for the device, it calls the listener after it has
   * released the device, so the listener may call {@code VhostNet} and may wait for other threads
   * that do; its exceptions are logged. It is not the owner: it reads the model as any other thread
   * does, and what it reads may be newer than the change.
   *
   * <p>Without a back end the listener is called before the method that makes the change returns.
   * The caller of that method gets the listener's exception, after all other listeners were called.
   *
   * @param listener called by one thread at a time
   */
  public void onChange(Consumer<DeviceChange> listener) {
    listeners.add(Objects.requireNonNull(listener, "listener"));
  }

  /**
   * The driver acknowledges features. Ignored after FEATURES_OK or DRIVER_OK. If the features
   * differ from before, all rings are replaced by new ones that are not set up. If they are the
   * same, the rings stay as they are.
   *
   * @param features all features that the driver acknowledges, bits 0 to 63; they replace those
   *     before
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
   * driver acknowledged a feature that is not offered or that needs another feature. DRIVER_OK
   * stays clear when a modern driver has not set FEATURES_OK.
   *
   * @param value what the driver writes, see {@link DeviceStatus}; only the lower 8 bits are used,
   *     and NEEDS_RESET is ignored
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
   * Before FEATURES_OK, QEMU saves the driver's features only in the transport's registers. After a
   * restore of such a state they become the device's features now.
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
   * The driver sets a ring up. A size or an address that virtio does not allow breaks the device.
   *
   * @param ring index, below {@link #queueCount()}
   * @param size entries, 1 to {@link #maxRingSize}; a power of two for a split ring
   * @param desc guest-physical address, aligned to 16; 0 takes the ring down; it restarts when the
   *     driver sets it up again
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
   * {@return what the driver has written to a ring's registers in the transport, also before it
   * enables the ring; {@link SavedQueue.Proxy#NONE} without modern registers}
   *
   * @param ring index, below {@link #queueCount()}
   */
  public SavedQueue.Proxy queueRegisters(int ring) {
    return rings.get(ring).registers();
  }

  /**
   * Stores what the driver writes to a ring's registers, one after the other, before it enables the
   * ring. A snapshot includes it. This does not change the ring: {@link #configureQueue} sets it
   * up.
   *
   * @param ring index, below {@link #queueCount()}
   * @param written the current registers; its {@code enabled} is ignored
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
   * The driver resets one ring of a live device (virtio 1.2, 2.6.1): it is no longer set up, and
   * restarts when the driver sets it up again.
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
   * {@return the current state of a ring}
   *
   * @param ring index, below {@link #queueCount()}
   */
  public QueueState queue(int ring) {
    return rings.get(ring).state();
  }

  /**
   * Sets the next index of a ring, which the back end returned when it stopped the ring. Ignored
   * for a ring that is not set up.
   *
   * @param ring index, below {@link #queueCount()}
   * @param index the next index, for the kind of ring that the driver negotiated
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
   * The driver reads the config space. Bytes outside of it read as zero. Any thread may call it; a
   * field is never half old and half new.
   *
   * @param offset in bytes, from the start of the config space
   * @param length how many bytes, not negative
   * @return that many bytes, in a new array
   */
  public byte[] readConfig(int offset, int length) {
    if (length < 0) {
      throw new IllegalArgumentException(name + ": a read of " + length + " bytes");
    }
    return NetConfig.read(config(), offset, length);
  }

  /**
   * The driver writes the config space. Only a legacy driver without CTRL_MAC_ADDR can change
   * something: the MAC address.
   *
   * @param offset in bytes, from the start of the config space
   * @param bytes what the driver writes; bytes outside of the MAC address are ignored
   */
  public void writeConfig(int offset, byte[] bytes) {
    Objects.requireNonNull(bytes, "bytes");
    if (!negotiation.has(NetFeature.CTRL_MAC_ADDR) && !negotiation.has(NetFeature.VERSION_1)) {
      control.changeMac(NetConfig.writeMac(mac(), offset, bytes));
      control.rethrow();
    }
  }

  /**
   * Executes the commands that wait in the control ring. If there were any, listeners are called
   * with {@link DeviceChange#CONTROL_USED}: one of them interrupts the guest.
   *
   * @param memory the guest's memory, with the ring and its buffers
   * @return how many were completed, at most 4096 (then there may be more); 0 when the device is
   *     not live or has no control ring
   */
  public int serviceControlQueue(GuestMemory memory) {
    return serviceControlQueue(DeviceMemory.of(memory), _ -> true);
  }

  /**
   * The same, for a device whose back end depends on the commands. After the answer "done" a driver
   * may use its new queues at once, so the back end has to know them before the answer.
   *
   * @param memory the guest's memory as the device addresses it, with the ring and its buffers
   * @param backEnd called after a command has changed something of {@link #controlState}, with what
   *     it changed, and before that command is answered. It sends the change to the back end, and
   *     returns whether the back end accepted it. If it returns false or throws, the change is
   *     undone and the driver gets an error. Its exception, or that of a listener, is thrown after
   *     all commands were answered
   * @return as above
   */
  public int serviceControlQueue(DeviceMemory memory, Predicate<DeviceChange> backEnd) {
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
   * @return whether the driver can do so: it negotiated the feature, and the device is live
   */
  public boolean requestAnnounce() {
    if (!negotiation.canAnnounce() || !live()) {
      return false;
    }
    net.statusBit(NetState.ANNOUNCE, true);
    changed(DeviceChange.CONFIG_INTERRUPT);
    return true;
  }

  /** {@return all that a migration transfers for the device} */
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
   * Replaces the whole driver state by a saved state. The config space of a live device may then
   * differ from the one that its driver has read, for instance when the link was down there and is
   * up here. In that case listeners are called with a config interrupt.
   *
   * @param state from {@link #snapshot} of a device with the same description
   * @throws VhostException GIVE_UP, and nothing changes, when the state does not fit this device;
   *     the message says what differs
   */
  public void restore(VirtioNetState state) {
    requireFits(state);
    long features = state.common().features();
    boolean live = (state.common().status() & DeviceStatus.DRIVER_OK) != 0;
    boolean configDiffers = live && net.configDiffers(deviceFeatures(), common, state);
    rings.restore(state, NetFeature.RING_PACKED.in(features), NetFeature.VERSION_1.in(features));
    common.restore(state.common(), state.transport());
    net.restore(state.common(), common.order(), state.net());
    changed(DeviceChange.RESTORED);
    if (configDiffers) {
      changed(DeviceChange.CONFIG_INTERRUPT);
    }
  }

  /**
   * Checks that {@link #restore} would accept a state. Nothing changes.
   *
   * @param state from {@link #snapshot} of a device with the same description
   * @throws VhostException GIVE_UP, when the state does not fit this device; the message says what
   *     differs
   */
  public void requireFits(VirtioNetState state) {
    RestoreCheck.check(this, state);
  }

  /**
   * {@return whether a ring is set up like this; the next index is not compared} As {@link #queue},
   * but allocates nothing.
   *
   * @param ring index, below {@link #queueCount()}
   * @param other the size, the addresses and the readiness to compare with
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
   * {@return the most entries that the driver may choose for a ring: the queue size register of
   * virtio-pci after a reset, and QueueNumMax of virtio-mmio (virtio 1.2, 4.1.4.3 and 4.2.2)} For a
   * data ring that is {@link VirtioNetBuilder#queueSize}, for the control ring {@value
   * #CONTROL_QUEUE_SIZE}; a ring that was restored may keep a larger size.
   *
   * @param ring index, below {@link #queueCount()}
   */
  public int maxRingSize(int ring) {
    return rings.get(ring).maximum();
  }

  /**
   * {@return the guest-physical address of a ring's device area; valid if the ring is set up} As
   * {@link #queue}, but allocates nothing.
   *
   * @param ring index, below {@link #queueCount()}
   */
  public long usedRing(int ring) {
    return rings.get(ring).used();
  }

  /**
   * {@return the guest-physical address of a ring's driver area, as {@link #usedRing}}
   *
   * @param ring index, below {@link #queueCount()}
   */
  public long availableRing(int ring) {
    return rings.get(ring).avail();
  }

  /**
   * {@return the guest-physical address of a ring's descriptor area, 0 if it is not set up} As
   * {@link #queue}, but allocates nothing.
   *
   * @param ring index, below {@link #queueCount()}
   */
  public long descriptorRing(int ring) {
    return rings.get(ring).desc();
  }

  /**
   * {@return the next index of a ring, in the encoding of SET_VRING_BASE} Allocates nothing.
   *
   * @param ring index, below {@link #queueCount()}
   */
  public int ringBase(int ring) {
    return rings.get(ring).base();
  }

  /**
   * Sets the next index of a ring, as {@link #setNextIndex} does, but allocates nothing.
   *
   * @param ring index, below {@link #queueCount()}
   * @param base in the encoding of SET_VRING_BASE; for a split ring only the lower 16 bits are used
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
   * Marks the device as broken: it needs a reset. For code that runs a back end, when the driver
   * has set up something that the back end cannot serve.
   *
   * @param why which rule the driver broke, for messages
   */
  public void markBroken(String why) {
    common.markBroken(why);
    changed(DeviceChange.BROKEN);
    changed(DeviceChange.CONFIG_INTERRUPT);
  }

  /**
   * Asks the driver to reset a device that has lost its back end. A driver with STATUS sees the
   * link down, which is enough. A driver without STATUS cannot see the link, so the device status
   * gets NEEDS_RESET, with a config interrupt (virtio 1.2, 2.1.1). The device is not broken: if a
   * back end serves it again, a driver that ignores the status can go on. The bit stays until a
   * reset.
   *
   * @return whether NEEDS_RESET was set: not if the driver can see the link, has not made the
   *     device live, or is from before virtio 1.0, which does not have this bit
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
    if (change == DeviceChange.CONFIG_INTERRUPT) {
      common.configInterrupt(); // the driver may look before the listeners are called
    }
    changes.incrementAndGet();
    try {
      service.accept(change);
    } finally {
      callListeners(change, 0);
    }
  }

  /** Calls all listeners, even if one of them throws. */
  private void callListeners(DeviceChange change, int from) {
    if (from < listeners.size()) { // without an iterator, because it runs in stop windows
      try {
        Consumer<DeviceChange> listener = listeners.get(from);
        listenerCalls.execute(() -> listener.accept(change));
      } finally {
        callListeners(change, from + 1);
      }
    }
  }
}
