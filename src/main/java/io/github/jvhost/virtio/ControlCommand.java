package io.github.jvhost.virtio;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * A command on the control queue of a network device (virtio 1.2, 5.1.6.5), for a device that has
 * negotiated VERSION_1: its numbers are little-endian.
 *
 * <p>Immutable, and so thread-safe.
 */
public sealed interface ControlCommand {
  /** {@return the first byte of the command} */
  int commandClass();

  /** {@return the second byte: which one of its class} */
  default int command() {
    return 0;
  }

  /** {@return what follows, in a new array} */
  byte[] data();

  /**
   * VIRTIO_NET_CTRL_RX.
   *
   * @param mode that is switched
   * @param on whether it is to hold
   */
  record Receive(ReceiveMode mode, boolean on) implements ControlCommand {
    @Override
    public int commandClass() {
      return NetControl.RX;
    }

    @Override
    public int command() {
      return mode.command();
    }

    @Override
    public byte[] data() {
      return new byte[] {(byte) (on ? 1 : 0)};
    }

    @Override
    public String toString() {
      return "receive mode %s %s".formatted(mode, on ? "on" : "off");
    }
  }

  /**
   * MAC_TABLE_SET.
   *
   * @param addresses that are received too, unicast and groups; copied
   */
  record MacTable(List<MacAddress> addresses) implements ControlCommand {
    /** Copies the list. */
    public MacTable {
      addresses = List.copyOf(addresses);
    }

    @Override
    public int commandClass() {
      return NetControl.MAC;
    }

    @Override
    public byte[] data() {
      byte[] data = new byte[2 * Integer.BYTES + addresses.size() * MacAddress.SIZE];
      ByteBuffer into = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN);
      put(into, addresses.stream().filter(one -> !one.multicast()).toList());
      put(into, addresses.stream().filter(MacAddress::multicast).toList());
      return data;
    }

    private static void put(ByteBuffer data, List<MacAddress> list) {
      data.putInt(list.size());
      list.forEach(one -> data.put(one.bytes()));
    }

    @Override
    public String toString() {
      return "table of %d addresses".formatted(addresses.size());
    }
  }

  /**
   * MAC_ADDR_SET.
   *
   * @param address of the device from now on
   */
  record Mac(MacAddress address) implements ControlCommand {
    @Override
    public int commandClass() {
      return NetControl.MAC;
    }

    @Override
    public int command() {
      return NetControl.MAC_ADDR_SET;
    }

    @Override
    public byte[] data() {
      return address.bytes();
    }

    @Override
    public String toString() {
      return "mac " + address;
    }
  }

  /**
   * VLAN_ADD and VLAN_DEL.
   *
   * @param id of the VLAN, 0 to 4095
   * @param received whether its packets are received
   */
  record Vlan(int id, boolean received) implements ControlCommand {
    @Override
    public int commandClass() {
      return NetControl.VLAN;
    }

    @Override
    public int command() {
      return received ? 0 : 1;
    }

    @Override
    public byte[] data() {
      return number(id, Short.BYTES);
    }

    @Override
    public String toString() {
      return "VLAN %d %s".formatted(id, received ? "received" : "filtered out");
    }
  }

  /**
   * MQ_VQ_PAIRS_SET.
   *
   * @param pairs in use from now on, 1 or more
   */
  record QueuePairs(int pairs) implements ControlCommand {
    @Override
    public int commandClass() {
      return NetControl.MQ;
    }

    @Override
    public byte[] data() {
      return number(pairs, Short.BYTES);
    }

    @Override
    public String toString() {
      return "queue pairs " + pairs;
    }
  }

  /**
   * GUEST_OFFLOADS_SET.
   *
   * @param offloads the feature bits of those that the driver takes from now on
   */
  record Offloads(long offloads) implements ControlCommand {
    @Override
    public int commandClass() {
      return NetControl.GUEST_OFFLOADS;
    }

    @Override
    public byte[] data() {
      return number(offloads, Long.BYTES);
    }

    @Override
    public String toString() {
      return "offloads " + NetFeature.describe(offloads);
    }
  }

  private static byte[] number(long value, int bytes) {
    byte[] data = new byte[bytes];
    for (int i = 0; i < bytes; i++) {
      data[i] = (byte) (value >>> (8 * i));
    }
    return data;
  }
}
