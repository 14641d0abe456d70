package io.github.jvhost.vmstate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.Bytes;
import io.github.jvhost.virtio.CommonState;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.NetState;
import io.github.jvhost.virtio.VirtioNetState;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

class StateDifferenceTest {
  private static VirtioNetState running() {
    return VirtioNetVmState.decode(
        ByteBuffer.wrap(Fixtures.load(Fixtures.PCI_MODERN)), Fixtures.PCI);
  }

  private static List<String> between(VirtioNetState before, VirtioNetState after) {
    return StateDifference.between(before, after).stream().map(StateDifference::describe).toList();
  }

  @Test
  void equalStatesDifferInNothing() {
    assertThat(between(running(), running())).isEmpty();
  }

  @Test
  void aRingThatWentOn() {
    VirtioNetState before = running();
    VirtioNetState after = before.withQueue(1, before.queue(1).withNext(4711));

    assertThat(between(before, after)).containsExactly("ring 1 next 98 -> 4711");
  }

  @Test
  void anAddressAndFeatures() {
    VirtioNetState before = running();
    CommonState c = before.common();
    byte[] config = c.config().toArray();
    config[5] ^= 0x30;
    CommonState common =
        new CommonState(
            c.status(),
            c.isr(),
            c.queueSelect(),
            (c.features() & ~NetFeature.MRG_RXBUF.mask()) | NetFeature.MQ.mask(),
            c.featuresHigh(),
            Bytes.copyOf(config),
            c.endian(),
            c.broken(),
            false,
            c.disabled());
    NetState n = before.net();
    NetState net =
        new NetState(
            MacAddress.parse("52:54:00:00:00:99"),
            n.txWaiting(),
            n.mergeableBuffers(),
            n.status() ^ NetState.LINK_UP,
            n.filters(),
            n.vnetHeader(),
            n.ufo(),
            n.maxQueuePairs(),
            n.currentQueuePairs(),
            n.guestOffloads(),
            n.rss(),
            n.backEnd());

    VirtioNetState after =
        new VirtioNetState(before.offer(), before.transport(), common, net, before.queues());

    assertThat(between(before, after))
        .containsExactly(
            "features -MRG_RXBUF +MQ",
            "device config at 0x5 01 -> 31",
            "started yes -> no",
            "mac 02:00:00:00:00:01 -> 52:54:00:00:00:99",
            "link up -> down");
  }

  @Test
  void noVectorIsNoDifferenceToADeviceWithoutVectors() {
    VirtioNetState pci =
        VirtioNetVmState.decode(
            ByteBuffer.wrap(Fixtures.load("a_pc_transitional_default.0.bin.gz")), Fixtures.PCI);
    VirtioNetState mmio =
        VirtioNetVmState.decode(
            ByteBuffer.wrap(Fixtures.load("g_microvm_mmio.0.bin.gz")), SectionShape.mmio(1));

    assertThat(between(pci, mmio))
        .contains("msix vectors 4 -> none")
        .noneSatisfy(line -> assertThat(line).contains("none -> none"));
  }

  @Test
  void whatIsListedIsWhatTheStateSays() {
    List<SavedField> fields = SavedField.of(running());

    assertThat(fields)
        .contains(
            new SavedField("", "transport", new SavedField.Text("transitional pci")),
            new SavedField("", "msix vectors", new SavedField.Count(4)),
            new SavedField("ring 1", "desc", new SavedField.Hex(0x571c000)),
            new SavedField("ring 2", "use", new SavedField.Text("control")));
    assertThat(fields)
        .filteredOn(f -> f.path().equals("filters vlans"))
        .singleElement()
        .satisfies(f -> assertThat(f.value().text()).contains("100"));
  }

  @Test
  void noTwoFieldsHaveTheSamePathAndStatesThatDifferDifferInAField() {
    RandomStates states = new RandomStates(7);
    VirtioNetState before = states.next();
    for (int i = 0; i < 200; i++) {
      VirtioNetState after = states.next();

      assertThat(SavedField.of(after)).extracting(SavedField::path).doesNotHaveDuplicates();
      if (!before.equals(after)) {
        assertThat(StateDifference.between(before, after))
            .isNotEmpty()
            .allSatisfy(d -> assertThat(d.describe()).startsWith(d.field() + " "));
      }
      before = after;
    }
  }
}
