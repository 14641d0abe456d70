package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.SavedQueue;
import io.github.jvhost.virtio.TransportState;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** Compares what we read with what an independent decoder read in the same section. */
final class SectionValues {
  private SectionValues() {}

  /**
   * Compares a section.
   *
   * @param stream that has the section in it
   * @param offset where its body begins
   */
  static void check(String name, byte[] stream, int offset, Map<String, Object> section) {
    int length = (int) JsonValues.number(section.get("body_len"));
    byte[] body = Arrays.copyOfRange(stream, offset, offset + length);
    Map<String, Object> net = JsonValues.object(section.get("net"));
    int pairs = (int) JsonValues.number(net.getOrDefault("max_queue_pairs", 1L));
    boolean pci = "pci".equals(section.get("transport"));
    SectionShape shape =
        pci
            ? SectionShape.pci(
                pairs,
                (int)
                    JsonValues.number(
                        JsonValues.object(section.get("pci")).get("config_space_len")))
            : SectionShape.mmio(pairs);

    ByteBuffer in = ByteBuffer.wrap(stream, offset, stream.length - offset);
    VirtioNetState state = VirtioNetVmState.decodePrefix(in, shape);

    assertThat(in.position()).as("%s: end", name).isEqualTo(offset + length);
    assertThat(VirtioNetVmState.encode(state)).as("%s: bytes", name).isEqualTo(body);
    assertThat(SectionShape.of(state)).isEqualTo(shape);
    common(name, section, state);
    network(name, net, state);
    if (pci) {
      pci(name, section, (TransportState.Pci) state.transport());
    }
  }

  private static void common(String name, Map<String, Object> section, VirtioNetState state) {
    number(name, section, "status", state.common().status());
    number(name, section, "isr", state.common().isr());
    number(name, section, "queue_sel", state.common().queueSelect());
    number(name, section, "guest_features_lo", state.common().features() & 0xFFFF_FFFFL);
    number(name, section, "guest_features", state.common().features());
    number(name, section, "nvq", state.queueCount());
    number(name, section, "started", state.common().started() ? 1 : 0);
    assertThat(HexFormat.of().formatHex(state.common().config().toArray()))
        .as(name)
        .isEqualTo(section.get("config_hex"));
    List<Object> queues = JsonValues.list(section.get("vqs"));
    for (int i = 0; i < queues.size(); i++) {
      queue(name + " ring " + i, JsonValues.object(queues.get(i)), state.queue(i));
    }
    if (section.containsKey("ringsize")) {
      List<Object> sizes = JsonValues.list(section.get("ringsize"));
      for (int i = 0; i < sizes.size(); i++) {
        assertThat(state.queue(i).defaultSize()).isEqualTo((int) JsonValues.number(sizes.get(i)));
      }
    }
    if (section.containsKey("modern_state")) {
      proxies(name, JsonValues.object(section.get("modern_state")), state);
    }
  }

  private static void queue(String name, Map<String, Object> json, SavedQueue queue) {
    number(name, json, "num", queue.size());
    number(name, json, "align", queue.align());
    number(name, json, "desc", queue.desc());
    number(name, json, "last_avail_idx", queue.next());
    number(name, json, "vector", queue.vector());
    number(name, json, "avail", queue.avail());
    number(name, json, "used", queue.used());
    if (json.containsKey("packed")) {
      Map<String, Object> packed = JsonValues.object(json.get("packed"));
      number(name, packed, "last_avail_idx", queue.packed().avail());
      number(name, packed, "last_avail_wrap", queue.packed().availWrap() ? 1 : 0);
      number(name, packed, "used_idx", queue.packed().used());
      number(name, packed, "used_wrap", queue.packed().usedWrap() ? 1 : 0);
      number(name, packed, "inuse", queue.packed().inUse());
    }
  }

  private static void proxies(String name, Map<String, Object> modern, VirtioNetState state) {
    assertThat(state.transport().modern()).isTrue();
    List<Object> halves = JsonValues.list(modern.get("guest_features"));
    assertThat(state.transport().proxyFeatures())
        .as(name)
        .isEqualTo(JsonValues.number(halves.get(0)) | JsonValues.number(halves.get(1)) << 32);
    List<Object> queues = JsonValues.list(modern.get("vqs"));
    for (int i = 0; i < queues.size(); i++) {
      Map<String, Object> json = JsonValues.object(queues.get(i));
      SavedQueue.Proxy proxy = state.queue(i).proxy();
      number(name, json, "num", proxy.size());
      number(name, json, "enabled", proxy.enabled() ? 1 : 0);
      number(name, json, "desc", proxy.desc());
      number(name, json, "avail", proxy.avail());
      number(name, json, "used", proxy.used());
    }
  }

  private static void pci(String name, Map<String, Object> section, TransportState.Pci pci) {
    Map<String, Object> json = JsonValues.object(section.get("pci"));
    assertThat(HexFormat.of().formatHex(pci.configSpace().toArray()))
        .as(name)
        .isEqualTo(json.get("config_space_hex"));
    number(name, json, "msix_vectors", pci.msix().map(TransportState.Msix::vectors).orElse(0));
    pci.msix().ifPresent(msix -> number(name, json, "config_vector", msix.configVector()));
  }

  private static void network(String name, Map<String, Object> net, VirtioNetState state) {
    assertThat(state.net().mac().toString()).as(name).isEqualTo(net.get("mac"));
    number(name, net, "mergeable_rx_bufs", state.net().mergeableBuffers() ? 1 : 0);
    number(name, net, "status", state.net().status());
    number(name, net, "promisc", state.net().filters().promiscuous() ? 1 : 0);
    number(name, net, "allmulti", state.net().filters().allMulticast() ? 1 : 0);
    number(name, net, "has_vnet_hdr", state.net().vnetHeader() ? 1 : 0);
    number(name, net, "has_ufo", state.net().ufo() ? 1 : 0);
    number(name, net, "max_queue_pairs", state.net().maxQueuePairs());
    number(name, net, "curr_queue_pairs", state.net().currentQueuePairs());
    number(name, net, "curr_guest_offloads", state.net().guestOffloads());
    assertThat(state.net().filters().table().stream().map(MacAddress::toString).toList())
        .as(name)
        .isEqualTo(JsonValues.list(net.get("mac_table.macs")));
    if (net.get("vlans") instanceof List<?> vlans) {
      for (int vlan = 0; vlan < 4096; vlan++) {
        assertThat(state.net().filters().passesVlan(vlan)).isEqualTo(vlans.contains((long) vlan));
      }
    }
  }

  private static void number(String name, Map<String, Object> json, String key, long actual) {
    if (json.containsKey(key)) {
      assertThat(actual).as("%s: %s", name, key).isEqualTo(JsonValues.number(json.get(key)));
    }
  }
}
