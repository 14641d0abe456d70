package io.github.jvhost.virtio;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The commands of the control queue (virtio 1.2, 5.1.6.5). Each is answered with one byte. A
 * command that is too short or has a value out of range is answered with an error and changes
 * nothing. Numbers are little-endian, or in the order of a legacy guest.
 *
 * <p>A driver must not send a command of a feature that it did not negotiate. virtio does not say
 * how a device answers such a command. Driver authors test with QEMU. One driver for Windows sets
 * receive modes and addresses without negotiating the features, and gives its device up after an
 * error. So the answers are those of QEMU 10:
 *
 * <pre>
 *   class               not negotiated       more bytes than needed
 *   0 RX                carried out          ignored
 *   1 MAC               carried out          an error
 *   2 VLAN              carried out          ignored
 *   3 ANNOUNCE          done if it was asked for, whatever was negotiated; else an error
 *   4 MQ                an error             ignored
 *   5 GUEST_OFFLOADS    an error             ignored
 *   RSS, any other      an error
 * </pre>
 *
 * <p>It does no harm to set a filter that was not negotiated: the device keeps it for the driver
 * and for a migration, and sends nothing to a back end. Queue pairs and offloads are different,
 * because they change what a back end does.
 *
 * <pre>
 *    0       1         2
 *   +-------+---------+---------------+      +-----+
 *   | class | command | data ...      |  ->  | ack |   0 = done, 1 = error
 *   +-------+---------+---------------+      +-----+
 * </pre>
 */
final class NetControl {
  static final int OK = 0;
  static final int ERR = 1;

  static final int RX = 0;
  static final int MAC = 1;
  static final int MAC_ADDR_SET = 1;
  static final int VLAN = 2;
  private static final int ANNOUNCE = 3;
  static final int MQ = 4;
  static final int GUEST_OFFLOADS = 5;

  private final VirtioNet device;
  private final NetPart net;
  private final CommonPart common;

  /** The first exception of a listener or a back end; null if there was none. */
  private @Nullable Throwable thrown;

  NetControl(VirtioNet device, NetPart net, CommonPart common) {
    this.device = device;
    this.net = net;
    this.common = common;
  }

  /**
   * Executes one command and returns the byte of the answer.
   *
   * @param backEnd sends this change to the back end; returns whether the back end accepted it
   */
  int execute(int commandClass, int command, byte[] bytes, Predicate<DeviceChange> backEnd) {
    ByteBuffer data = ByteBuffer.wrap(bytes).order(common.order());
    boolean done =
        switch (commandClass) {
          case RX -> mode(command, data, backEnd);
          case MAC -> mac(command, data, backEnd);
          case VLAN -> vlan(command, data, backEnd);
          case ANNOUNCE -> command == 0 && announced();
          case MQ -> queuePairs(command, data, backEnd);
          case GUEST_OFFLOADS -> offloads(command, data, backEnd);
          default -> false;
        };
    return done ? OK : ERR;
  }

  private boolean mode(int command, ByteBuffer data, Predicate<DeviceChange> backEnd) {
    ReceiveMode[] modes = ReceiveMode.values();
    if (command >= modes.length || !data.hasRemaining()) {
      return false;
    }
    boolean on = data.get() != 0;
    return changeFilters(filters -> filters.mode(modes[command], on), backEnd);
  }

  private boolean changeFilters(Consumer<RxFilters> change, Predicate<DeviceChange> backEnd) {
    FilterState before = net.filters().save();
    change.accept(net.filters());
    notifyListeners(DeviceChange.FILTERS);
    boolean accepted =
        net.filters().save().equals(before) || backEndAccepts(backEnd, DeviceChange.FILTERS);
    if (!accepted) {
      net.filters(RxFilters.of(before));
      notifyListeners(DeviceChange.FILTERS);
    }
    return accepted;
  }

  private boolean mac(int command, ByteBuffer data, Predicate<DeviceChange> backEnd) {
    return switch (command) {
      case 0 -> macTable(data, backEnd);
      case MAC_ADDR_SET -> {
        if (data.remaining() != MacAddress.SIZE) {
          yield false;
        }
        MacAddress before = net.mac();
        MacAddress now = address(data);
        changeMac(now);
        boolean accepted = now.equals(before) || backEndAccepts(backEnd, DeviceChange.MAC);
        if (!accepted) {
          changeMac(before);
        }
        yield accepted;
      }
      default -> false;
    };
  }

  private boolean macTable(ByteBuffer data, Predicate<DeviceChange> backEnd) {
    List<MacAddress> unicast = new ArrayList<>();
    List<MacAddress> multicast = new ArrayList<>();
    if (!macList(data, unicast) || !macList(data, multicast) || data.hasRemaining()) {
      return false;
    }
    return changeFilters(filters -> filters.table(unicast, multicast), backEnd);
  }

  /** One list: u32 n, then n times 6 bytes. */
  private static boolean macList(ByteBuffer data, List<MacAddress> into) {
    if (data.remaining() < Integer.BYTES) {
      return false;
    }
    long count = Integer.toUnsignedLong(data.getInt());
    if (count * MacAddress.SIZE > data.remaining()) {
      return false;
    }
    for (long i = 0; i < count; i++) {
      into.add(address(data));
    }
    return true;
  }

  private static MacAddress address(ByteBuffer data) {
    byte[] bytes = new byte[MacAddress.SIZE];
    data.get(bytes);
    return MacAddress.of(bytes, 0);
  }

  private boolean vlan(int command, ByteBuffer data, Predicate<DeviceChange> backEnd) {
    if (command > 1 || data.remaining() < Short.BYTES) {
      return false;
    }
    int vlan = Short.toUnsignedInt(data.getShort());
    if (vlan >= FilterState.VLANS) {
      return false;
    }
    return changeFilters(filters -> filters.vlan(vlan, command == 0), backEnd);
  }

  private boolean queuePairs(int command, ByteBuffer data, Predicate<DeviceChange> backEnd) {
    // RSS and hash configuration (1 and 2) need features that this model does not offer.
    if (command != 0
        || data.remaining() < Short.BYTES
        || !NetFeature.MQ.in(device.driverFeatures())) {
      return false;
    }
    int pairs = Short.toUnsignedInt(data.getShort());
    if (pairs < 1 || pairs > device.maxQueuePairs()) {
      return false;
    }
    int before = net.currentQueuePairs();
    changeQueuePairs(pairs);
    if (pairs != before && !backEndAccepts(backEnd, DeviceChange.QUEUE_PAIRS)) {
      changeQueuePairs(before);
      return false;
    }
    return true;
  }

  private boolean backEndAccepts(Predicate<DeviceChange> backEnd, DeviceChange change) {
    try {
      return backEnd.test(change);
    } catch (Throwable e) {
      keep(e);
      return false;
    }
  }

  /**
   * Calls the listeners. An exception of theirs is kept until all commands are executed, so that no
   * command is half done.
   */
  private void notifyListeners(DeviceChange change) {
    try {
      device.changed(change);
    } catch (Throwable e) {
      keep(e);
    }
  }

  private void keep(Throwable e) {
    if (thrown == null) {
      thrown = e;
    }
  }

  /** Throws the first exception that was kept, if there is one. */
  void rethrow() {
    Throwable e = thrown;
    thrown = null;
    switch (e) {
      case null -> {}
      case RuntimeException r -> throw r;
      case Error r -> throw r;
      default -> throw new IllegalStateException(e);
    }
  }

  private boolean offloads(int command, ByteBuffer data, Predicate<DeviceChange> backEnd) {
    long features = device.driverFeatures();
    if (command != 0
        || data.remaining() < Long.BYTES
        || !NetFeature.CTRL_GUEST_OFFLOADS.in(features)) {
      return false;
    }
    // RSC_EXT counts merged segments and is not an offload. QEMU ignores this bit, too.
    long offloads = data.getLong() & ~NetFeature.RSC_EXT.mask();
    if ((offloads & ~(features & NetFeature.GUEST_OFFLOADS)) != 0) {
      return false;
    }
    long before = net.guestOffloads();
    changeOffloads(offloads);
    boolean accepted = offloads == before || backEndAccepts(backEnd, DeviceChange.OFFLOADS);
    if (!accepted) {
      changeOffloads(before);
    }
    return accepted;
  }

  private void changeOffloads(long offloads) {
    net.guestOffloads(offloads);
    notifyListeners(DeviceChange.OFFLOADS);
  }

  void changeMac(MacAddress address) {
    if (!address.equals(net.mac())) {
      net.mac(address);
      notifyListeners(DeviceChange.MAC);
    }
  }

  private void changeQueuePairs(int pairs) {
    if (pairs != net.currentQueuePairs()) {
      net.currentQueuePairs(pairs);
      notifyListeners(DeviceChange.QUEUE_PAIRS);
    }
  }

  /** Tells the listeners that commands were completed. */
  void completed() {
    notifyListeners(DeviceChange.CONTROL_USED);
  }

  /** Marks the device as broken, after these commands. */
  void broke(String why) {
    try {
      device.markBroken(why);
    } catch (Throwable e) {
      keep(e);
    }
  }

  /** The driver has announced itself. Returns whether it had been asked to. */
  private boolean announced() {
    if (!net.statusBit(NetState.ANNOUNCE)) {
      return false;
    }
    net.statusBit(NetState.ANNOUNCE, false);
    notifyListeners(DeviceChange.ANNOUNCE_ACK);
    return true;
  }
}
