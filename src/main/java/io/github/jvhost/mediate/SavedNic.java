package io.github.jvhost.mediate;

import io.github.jvhost.Bytes;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a mediator that takes over has to know of one NIC. Descriptors are named as in the store; a
 * name is empty where there is none. Immutable.
 *
 * <pre>
 *   version (int) | state | kicked | announcement | spares | front end
 *   | device | regions | rings | in-flight | switch
 *   numbers big-endian, texts with a length before them, as DataOutputStream writes them
 * </pre>
 *
 * @param state of the NIC; NO_SWITCH also while a switch that serves it is perhaps being told
 *     something, because what it holds is not known then
 * @param kickedSinceStop whether a ring got a kick since the device stopped
 * @param announcement the MAC address that a switch is to announce; empty: none
 * @param standby where it is, as operators write it; empty: there is none
 * @param shipped whether the other mediator expects this guest
 * @param shippedGeneration of what it was told last
 * @param frontEnd its socket
 * @param protocolFeatures that the front end has acknowledged
 * @param device what the front end has described
 * @param theSwitch the connection to the switch; null: there is none
 */
record SavedNic(
    NicState state,
    boolean kickedSinceStop,
    Bytes announcement,
    String standby,
    boolean shipped,
    long shippedGeneration,
    String frontEnd,
    long protocolFeatures,
    Device device,
    @Nullable Connection theSwitch) {
  private static final int VERSION = 2;
  private static final int MOST = 512;

  /**
   * What the front end has described.
   *
   * @param mtu in bytes; -1: none
   * @param log the file of the dirty log
   * @param logSize in bytes
   * @param serial of the memory map
   * @param inflight the region for requests in flight; null: there is none
   */
  record Device(
      long features,
      int mtu,
      int status,
      String log,
      long logSize,
      int serial,
      List<Region> regions,
      List<Ring> rings,
      @Nullable Inflight inflight) {}

  /** A region of guest memory. */
  record Region(
      long guestAddress,
      long size,
      long offset,
      long userAddress,
      long frontEndAddress,
      String file) {}

  /**
   * One vring; a number is -1 where it was not described.
   *
   * @param flags of its address, -1: it has none
   * @param hasBase whether there is a base, which may be any number
   * @param enabled 1: enabled, 0: disabled, -1: not described
   */
  record Ring(
      int size,
      int flags,
      long descriptor,
      long used,
      long available,
      long log,
      boolean hasBase,
      int base,
      Signal kick,
      Signal call,
      Signal err,
      int enabled) {}

  /**
   * An eventfd.
   *
   * @param described whether there was a message for it
   * @param file empty: the message had no descriptor
   */
  record Signal(boolean described, String file) {
    /** None was described. */
    static final Signal NONE = new Signal(false, "");
  }

  /** A region for requests in flight. */
  record Inflight(String file, long size, long offset, int queues, int queueSize) {}

  /**
   * The connection to the switch, and what was negotiated on it.
   *
   * @param address where the switch is, as operators write it; empty: where the options say
   */
  record Connection(
      String socket,
      String address,
      long features,
      long protocolFeatures,
      int queuePairs,
      int memorySlots) {

    /** {@return what the switch can do} */
    BackEndCapabilities capabilities(NicOptions nic) {
      return new BackEndCapabilities(
          features, protocolFeatures, queuePairs, memorySlots, nic.dialect(), nic.profile());
    }
  }

  /** {@return this as bytes} */
  byte[] encoded() {
    var bytes = new ByteArrayOutputStream(1024);
    try (var out = new DataOutputStream(bytes)) {
      out.writeInt(VERSION);
      out.writeUTF(state.name());
      out.writeBoolean(kickedSinceStop);
      out.writeInt(announcement.size());
      out.write(announcement.toArray());
      out.writeUTF(standby);
      out.writeBoolean(shipped);
      out.writeLong(shippedGeneration);
      out.writeUTF(frontEnd);
      out.writeLong(protocolFeatures);
      write(out, device);
      out.writeBoolean(theSwitch != null);
      if (theSwitch != null) {
        out.writeUTF(theSwitch.socket());
        out.writeUTF(theSwitch.address());
        out.writeLong(theSwitch.features());
        out.writeLong(theSwitch.protocolFeatures());
        out.writeInt(theSwitch.queuePairs());
        out.writeInt(theSwitch.memorySlots());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e); // there is no file
    }
    return bytes.toByteArray();
  }

  private static void write(DataOutputStream out, Device device) throws IOException {
    out.writeLong(device.features());
    out.writeInt(device.mtu());
    out.writeInt(device.status());
    out.writeUTF(device.log());
    out.writeLong(device.logSize());
    out.writeInt(device.serial());
    out.writeInt(device.regions().size());
    for (Region r : device.regions()) {
      out.writeLong(r.guestAddress());
      out.writeLong(r.size());
      out.writeLong(r.offset());
      out.writeLong(r.userAddress());
      out.writeLong(r.frontEndAddress());
      out.writeUTF(r.file());
    }
    out.writeInt(device.rings().size());
    for (Ring r : device.rings()) {
      out.writeInt(r.size());
      out.writeInt(r.flags());
      out.writeLong(r.descriptor());
      out.writeLong(r.used());
      out.writeLong(r.available());
      out.writeLong(r.log());
      out.writeBoolean(r.hasBase());
      out.writeInt(r.base());
      for (Signal signal : List.of(r.kick(), r.call(), r.err())) {
        out.writeBoolean(signal.described());
        out.writeUTF(signal.file());
      }
      out.writeInt(r.enabled());
    }
    Inflight inflight = device.inflight();
    out.writeBoolean(inflight != null);
    if (inflight != null) {
      out.writeUTF(inflight.file());
      out.writeLong(inflight.size());
      out.writeLong(inflight.offset());
      out.writeInt(inflight.queues());
      out.writeInt(inflight.queueSize());
    }
  }

  /**
   * {@return what an earlier process has saved}
   *
   * @param bytes as {@link #encoded} made them
   * @throws VhostException (GIVE_UP) if they are something else
   */
  static SavedNic decode(byte[] bytes) {
    try (var in = new DataInputStream(new ByteArrayInputStream(bytes))) {
      int version = in.readInt();
      if (version != VERSION) {
        throw wrong("it has version " + version + ", and this mediator reads " + VERSION, null);
      }
      NicState state = NicState.valueOf(in.readUTF());
      boolean kickedSinceStop = in.readBoolean();
      Bytes announcement = Bytes.copyOf(in.readNBytes(count(in)));
      String standby = in.readUTF();
      boolean shipped = in.readBoolean();
      long shippedGeneration = in.readLong();
      String frontEnd = in.readUTF();
      long protocolFeatures = in.readLong();
      Device device = readDevice(in);
      Connection connection =
          in.readBoolean()
              ? new Connection(
                  in.readUTF(),
                  in.readUTF(),
                  in.readLong(),
                  in.readLong(),
                  in.readInt(),
                  in.readInt())
              : null;
      return new SavedNic(
          state,
          kickedSinceStop,
          announcement,
          standby,
          shipped,
          shippedGeneration,
          frontEnd,
          protocolFeatures,
          device,
          connection);
    } catch (IOException | IllegalArgumentException e) {
      throw wrong(String.valueOf(e), e);
    }
  }

  private static Device readDevice(DataInputStream in) throws IOException {
    long features = in.readLong();
    int mtu = in.readInt();
    int status = in.readInt();
    String log = in.readUTF();
    long logSize = in.readLong();
    int serial = in.readInt();
    List<Region> regions = new ArrayList<>();
    for (int left = count(in); left > 0; left--) {
      regions.add(
          new Region(
              in.readLong(),
              in.readLong(),
              in.readLong(),
              in.readLong(),
              in.readLong(),
              in.readUTF()));
    }
    List<Ring> rings = new ArrayList<>();
    for (int left = count(in); left > 0; left--) {
      rings.add(
          new Ring(
              in.readInt(),
              in.readInt(),
              in.readLong(),
              in.readLong(),
              in.readLong(),
              in.readLong(),
              in.readBoolean(),
              in.readInt(),
              new Signal(in.readBoolean(), in.readUTF()),
              new Signal(in.readBoolean(), in.readUTF()),
              new Signal(in.readBoolean(), in.readUTF()),
              in.readInt()));
    }
    Inflight inflight =
        in.readBoolean()
            ? new Inflight(in.readUTF(), in.readLong(), in.readLong(), in.readInt(), in.readInt())
            : null;
    return new Device(features, mtu, status, log, logSize, serial, regions, rings, inflight);
  }

  private static int count(DataInputStream in) throws IOException {
    int count = in.readInt();
    if (count < 0 || count > MOST) {
      throw new IOException("a list of " + count);
    }
    return count;
  }

  private static VhostException wrong(String problem, @Nullable Exception cause) {
    return new VhostException(
        "the state that an earlier mediator has saved cannot be read: " + problem,
        Recovery.GIVE_UP,
        cause);
  }
}
