package io.github.jvhost.vmstate;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.CommonState;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.FilterState;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.RssState;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.VirtioNetState;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Lists what a saved device holds, field by field, with the field's own names. */
public final class SavedFields {
  private static final int PCI_DEVICE_ID = 2;
  private static final int FIRST_MODERN_ID = 0x1040;

  private final List<SavedField> all = new ArrayList<>();
  private String group = "";

  private SavedFields() {}

  /**
   * {@return all fields of a state, those of a group one behind the other} Two lists of equal
   * states are equal.
   *
   * @param state of a device, early or final
   */
  public static List<SavedField> of(VirtioNetState state) {
    var fields = new SavedFields();
    fields.transport(state.transport());
    fields.common(state.common());
    fields.net(state.net());
    fields.filters(state.net().filters());
    state.net().rss().ifPresent(fields::rss);
    for (int i = 0; i < state.queues().size(); i++) {
      fields.ring(i, state);
    }
    return List.copyOf(fields.all);
  }

  private void transport(TransportState transport) {
    switch (transport) {
      case TransportState.Mmio mmio -> {
        text("transport", mmio.describe());
        if (mmio.modern()) {
          names("registers' features", NetFeature.describe(mmio.proxyFeatures()));
        }
        hex("host features select", Integer.toUnsignedLong(mmio.hostFeaturesSelect()));
        hex("guest features select", Integer.toUnsignedLong(mmio.guestFeaturesSelect()));
        count("guest page shift", Integer.toUnsignedLong(mmio.guestPageShift()));
      }
      case TransportState.Pci pci -> pci(pci);
    }
  }

  private void pci(TransportState.Pci pci) {
    String bus =
        pci.configSpace().size() == TransportState.Pci.CONFIG_SPACE ? "pci" : "pci express";
    int id = pci.configSpace().littleEndian16(PCI_DEVICE_ID);
    String layout = !pci.modern() ? "legacy " : id < FIRST_MODERN_ID ? "transitional " : "modern ";
    text("transport", layout + bus);
    raw("config space", pci.configSpace());
    if (pci.modern()) {
      names("registers' features", NetFeature.describe(pci.proxyFeatures()));
      pci.proxyFeaturesHigh().ifPresent(high -> hex("registers' features 64 to 127", high));
      hex("device features select", Integer.toUnsignedLong(pci.deviceFeatureSelect()));
      hex("guest features select", Integer.toUnsignedLong(pci.guestFeatureSelect()));
    }
    count("msix vectors", pci.msix().map(TransportState.Msix::vectors).orElse(0));
    pci.msix()
        .ifPresent(msix -> {
          text("config vector", vector(msix.configVector()));
          raw("msix table", msix.table());
          raw("msix pending", msix.pending());
        });
    for (int line = 0; line < pci.interruptLevels().size(); line++) {
      count("level of INT" + (char) ('A' + line), pci.interruptLevels().get(line));
    }
  }

  private void common(CommonState common) {
    names("status", DeviceStatus.describe(common.status()));
    hex("isr", common.isr());
    count("selected ring", common.queueSelect());
    names("features", NetFeature.describe(common.features()));
    hex("features 64 to 127", common.featuresHigh());
    raw("device config", common.config());
    text(
        "byte order",
        switch (common.endian()) {
          case USUAL -> "";
          case LITTLE -> "little-endian";
          case BIG -> "big-endian";
        });
    flag("broken", common.broken());
    flag("started", common.started());
    flag("disabled", common.disabled());
  }

  private void net(NetState net) {
    text("mac", net.mac().toString());
    text("link", (net.status() & NetState.LINK_UP) == 0 ? "down" : "up");
    flag("asked to announce", (net.status() & NetState.ANNOUNCE) != 0);
    hex("other status bits", net.status() & ~(NetState.LINK_UP | NetState.ANNOUNCE));
    count("queue pairs", net.currentQueuePairs());
    count("max queue pairs", net.maxQueuePairs());
    hex("guest offloads", net.guestOffloads());
    flag("mergeable buffers", net.mergeableBuffers());
    flag("vnet header", net.vnetHeader());
    flag("ufo", net.ufo());
    boolean waiting = net.txWaiting().stream().anyMatch(w -> w != 0);
    add(
        "transmit work left",
        new SavedField.Names(
            waiting
                ? net.txWaiting().stream().map(Integer::toUnsignedString).toList()
                : List.of()));
    add(
        "back end state",
        net.backEnd()
            .<SavedField.Value>map(chunks -> new SavedField.Opaque(joined(chunks)))
            .orElseGet(() -> new SavedField.Text("")));
  }

  private void filters(FilterState filters) {
    group = "filters";
    flag("promiscuous", filters.promiscuous());
    flag("all multicast", filters.allMulticast());
    flag("all unicast", filters.allUnicast());
    flag("no multicast", filters.noMulticast());
    flag("no unicast", filters.noUnicast());
    flag("no broadcast", filters.noBroadcast());
    flag("multicast overflow", filters.multicastOverflow());
    flag("unicast overflow", filters.unicastOverflow());
    add(
        "addresses",
        new SavedField.Names(filters.table().stream().map(MacAddress::toString).toList()));
    add("vlans", new SavedField.Names(vlans(filters)));
  }

  /** Ranges: "0", "100-199". */
  private static List<String> vlans(FilterState filters) {
    List<String> ranges = new ArrayList<>();
    int end = FilterState.VLAN_BYTES * Byte.SIZE;
    for (int vlan = 0; vlan < end; vlan++) {
      int from = vlan;
      while (vlan < end && filters.passesVlan(vlan)) {
        vlan++;
      }
      if (vlan > from) {
        ranges.add(vlan - 1 == from ? "" + from : from + "-" + (vlan - 1));
      }
    }
    return ranges;
  }

  private void rss(RssState rss) {
    group = "rss";
    flag("enabled", rss.enabled());
    flag("redirect", rss.redirect());
    flag("populate hash", rss.populateHash());
    hex("hash types", Integer.toUnsignedLong(rss.hashTypes()));
    rss.supportedHashTypes()
        .ifPresent(types -> hex("supported hash types", Integer.toUnsignedLong(types)));
    count("default queue", rss.defaultQueue());
    raw("key", rss.key());
    add("table", new SavedField.Names(rss.table().stream().map(String::valueOf).toList()));
  }

  private void ring(int index, VirtioNetState state) {
    SavedQueue ring = state.queue(index);
    group = "ring " + index;
    text("use", use(index, state.queueCount()));
    count("size", ring.size());
    count("default size", ring.defaultSize());
    count("align", Integer.toUnsignedLong(ring.align()));
    hex("desc", ring.desc());
    hex("avail", ring.avail());
    hex("used", ring.used());
    count("next", ring.next());
    text("vector", vector(ring.vector()));
    if (NetFeature.RING_PACKED.in(state.common().features())) {
      SavedQueue.Packed packed = ring.packed();
      count("packed avail", packed.avail());
      flag("packed avail wrap", packed.availWrap());
      count("packed used", packed.used());
      flag("packed used wrap", packed.usedWrap());
      count("in use", Integer.toUnsignedLong(packed.inUse()));
    }
    registers(ring.proxy());
  }

  /** What the driver wrote, which is not yet, or not any more, what the ring has. */
  private void registers(SavedQueue.Proxy written) {
    count("registers' size", written.size());
    flag("registers' enable", written.enabled());
    hex("registers' desc", written.desc());
    hex("registers' avail", written.avail());
    hex("registers' used", written.used());
  }

  private static String use(int index, int count) {
    if (index >= count) {
      return "none";
    }
    if (index == count - 1 && index % 2 == 0) {
      return "control";
    }
    return (index % 2 == 0 ? "receive " : "transmit ") + index / 2;
  }

  /** No vector is nothing, as it is where there is no MSI-X: a difference of the two is none. */
  private static String vector(int vector) {
    return vector == SavedQueue.NO_VECTOR ? "" : Integer.toString(vector);
  }

  private static Bytes joined(List<Bytes> chunks) {
    byte[] all = new byte[chunks.stream().mapToInt(Bytes::size).sum()];
    int at = 0;
    for (Bytes chunk : chunks) {
      System.arraycopy(chunk.toArray(), 0, all, at, chunk.size());
      at += chunk.size();
    }
    return Bytes.copyOf(all);
  }

  private void add(String name, SavedField.Value value) {
    all.add(new SavedField(group, name, value));
  }

  private void text(String name, String text) {
    add(name, new SavedField.Text(text));
  }

  /** Bits by name, as a describing method joins them. */
  private void names(String name, String joined) {
    boolean none = joined.equals("none") || joined.equals("0");
    add(name, new SavedField.Names(none ? List.of() : Arrays.asList(joined.split("\\|"))));
  }

  private void count(String name, long number) {
    add(name, new SavedField.Count(number));
  }

  private void hex(String name, long bits) {
    add(name, new SavedField.Hex(bits));
  }

  private void flag(String name, boolean set) {
    add(name, new SavedField.Flag(set));
  }

  private void raw(String name, Bytes bytes) {
    add(name, new SavedField.Raw(bytes));
  }
}
