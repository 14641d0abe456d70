package io.github.jvhost.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.DeviceMemory;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ControlQueueTest {
  private static final long EXTRA =
      NetFeature.maskOf(
          NetFeature.CTRL_RX_EXTRA,
          NetFeature.CTRL_GUEST_OFFLOADS,
          NetFeature.GUEST_CSUM,
          NetFeature.GUEST_TSO4,
          NetFeature.INDIRECT_DESC,
          NetFeature.EVENT_IDX);

  private static final long RING_FEATURES =
      NetFeature.maskOf(NetFeature.INDIRECT_DESC, NetFeature.EVENT_IDX);

  private final VirtioNet device =
      VirtioNet.builder("net0")
          .maxQueuePairs(4)
          .deviceFeatures(VirtioNetBuilder.DEFAULT_FEATURES | EXTRA)
          .build();
  private final List<DeviceChange> changes = new ArrayList<>();
  private boolean listening;
  private int interrupts;
  private ControlGuest guest = guestWith(device.deviceFeatures() & ~RING_FEATURES);

  private ControlGuest guestWith(long features) {
    ControlGuest live = new ControlGuest(device, features);
    if (!listening) {
      device.onChange(change -> {
        if (change == DeviceChange.CONTROL_USED) {
          interrupts++;
        } else {
          changes.add(change);
        }
      });
      listening = true;
    }
    return live;
  }

  private void renegotiate(long features) {
    guest.close();
    device.setStatus(0);
    guest = guestWith(features);
    changes.clear();
  }

  @AfterEach
  void close() {
    guest.close();
    assertThat(guest.ledger.openCount()).isZero();
  }

  @Test
  void queuePairs() {
    assertThat(guest.command(4, 0, 3, 0)).isEqualTo(NetControl.OK);
    assertThat(device.currentQueuePairs()).isEqualTo(3);
    assertThat(changes).containsExactly(DeviceChange.QUEUE_PAIRS);

    assertThat(guest.command(4, 0, 0, 0)).isEqualTo(NetControl.ERR);
    assertThat(guest.command(4, 0, 5, 0)).isEqualTo(NetControl.ERR);
    assertThat(guest.command(4, 0, 1)).isEqualTo(NetControl.ERR);
    assertThat(guest.command(4, 1, 1, 0)).isEqualTo(NetControl.ERR);
    assertThat(device.currentQueuePairs()).isEqualTo(3);
    assertThat(guest.usedIndex()).isEqualTo(5);
    assertThat(device.queue(8).next()).isEqualTo(RingIndex.split(5));
  }

  @Test
  void theDriverIsInterruptedWhereACommandWasCompleted() {
    assertThat(device.serviceControlQueue(guest.memory)).isZero();
    assertThat(interrupts).as("nothing was there").isZero();
    guest.command(9, 0);
    assertThat(interrupts).as("an error is an answer, too").isEqualTo(1);
    guest.post(4, 0, 2, 0);
    guest.makeAvailable(15);
    device.serviceControlQueue(guest.memory);
    assertThat(device.broken()).isTrue();
    assertThat(interrupts).as("one was completed before the ring broke").isEqualTo(2);
  }

  @Test
  void queuePairsAreAnsweredWhenTheBackEndHasTakenThem() {
    guest.post(4, 0, 3, 0);
    List<Integer> told = new ArrayList<>();
    device.serviceControlQueue(
        DeviceMemory.of(guest.memory),
        change -> {
          assertThat(change).isEqualTo(DeviceChange.QUEUE_PAIRS);
          assertThat(guest.memory.getByte(ControlGuest.ACK)).isEqualTo((byte) ControlGuest.NO_ACK);
          assertThat(guest.usedIndex()).isZero();
          return told.add(device.currentQueuePairs());
        });
    assertThat(told).containsExactly(3);
    assertThat(guest.memory.getByte(ControlGuest.ACK)).isEqualTo((byte) NetControl.OK);
    assertThat(guest.usedIndex()).isEqualTo(1);

    guest.post(4, 0, 3, 0);
    device.serviceControlQueue(DeviceMemory.of(guest.memory), _ -> told.add(0));
    assertThat(told).as("the same number again is nothing to tell").hasSize(1);
  }

  @Test
  void queuePairsThatTheBackEndRefusesAreAnErrorAndAsBefore() {
    guest.command(4, 0, 2, 0);
    guest.post(4, 0, 3, 0);
    assertThat(device.serviceControlQueue(DeviceMemory.of(guest.memory), _ -> false)).isEqualTo(1);
    assertThat(guest.memory.getByte(ControlGuest.ACK)).isEqualTo((byte) NetControl.ERR);
    assertThat(device.currentQueuePairs()).isEqualTo(2);
    assertThat(device.broken()).isFalse();
  }

  @Test
  void macAddress() {
    assertThat(guest.command(1, 1, 2, 0, 0, 0, 0, 0x77)).isEqualTo(NetControl.OK);
    assertThat(device.mac()).hasToString("02:00:00:00:00:77");
    assertThat(changes).containsExactly(DeviceChange.MAC);
    assertThat(guest.command(1, 1, 2, 0, 0, 0, 0)).isEqualTo(NetControl.ERR);

    device.setStatus(0);
    assertThat(device.mac()).hasToString("02:00:00:00:00:01");
  }

  @Test
  void macTable() {
    assertThat(
            guest.command(1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 9, 1, 0, 0, 0, 0x33, 0x33, 0, 0, 0, 1))
        .isEqualTo(NetControl.OK);
    assertThat(device.snapshot().net().filters().table())
        .containsExactly(
            MacAddress.parse("02:00:00:00:00:09"), MacAddress.parse("33:33:00:00:00:01"));

    // A list that does not fit into 64 entries is dropped, the other stays.
    int[] large = new int[2 + 4 + 65 * 6 + 4 + 6];
    large[0] = 1;
    large[2] = 65;
    large[2 + 4 + 65 * 6] = 1;
    assertThat(guest.command(large)).isEqualTo(NetControl.OK);
    FilterState filters = device.snapshot().net().filters();
    assertThat(filters.unicastOverflow()).isTrue();
    assertThat(filters.multicastOverflow()).isFalse();
    assertThat(filters.table()).containsExactly(MacAddress.ZERO);

    assertThat(guest.command(1, 0, 255, 255, 255, 255)).isEqualTo(NetControl.ERR);
    assertThat(guest.command(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)).isEqualTo(NetControl.ERR);
    assertThat(device.broken()).isFalse();
  }

  @Test
  void receiveModes() {
    assertThat(device.snapshot().net().filters().promiscuous()).isTrue();
    assertThat(guest.command(0, 0, 0)).isEqualTo(NetControl.OK);
    assertThat(guest.command(0, 5, 1)).isEqualTo(NetControl.OK);
    assertThat(device.snapshot().net().filters().promiscuous()).isFalse();
    assertThat(device.snapshot().net().filters().noBroadcast()).isTrue();
    assertThat(guest.command(0, 6, 1)).isEqualTo(NetControl.ERR);
    assertThat(guest.command(0, 0)).isEqualTo(NetControl.ERR);
    assertThat(changes).containsOnly(DeviceChange.FILTERS);
  }

  @Test
  void vlans() {
    assertThat(device.snapshot().net().filters().passesVlan(100)).isFalse();
    assertThat(guest.command(2, 0, 100, 0)).isEqualTo(NetControl.OK);
    assertThat(device.snapshot().net().filters().passesVlan(100)).isTrue();
    assertThat(guest.command(2, 1, 100, 0)).isEqualTo(NetControl.OK);
    assertThat(device.snapshot().net().filters().passesVlan(100)).isFalse();
    assertThat(guest.command(2, 0, 0, 0x10)).isEqualTo(NetControl.ERR);
  }

  @Test
  void announcement() {
    assertThat(guest.command(3, 0)).isEqualTo(NetControl.ERR);
    assertThat(device.requestAnnounce()).isTrue();
    assertThat(device.readConfig(6, 1)).containsExactly(3);
    assertThat(guest.command(3, 0)).isEqualTo(NetControl.OK);
    assertThat(device.readConfig(6, 1)).containsExactly(1);
    assertThat(changes).containsExactly(DeviceChange.CONFIG_INTERRUPT, DeviceChange.ANNOUNCE_ACK);
    assertThat(guest.command(3, 0)).isEqualTo(NetControl.ERR);
  }

  @Test
  void offloads() {
    assertThat(device.snapshot().net().guestOffloads()).isEqualTo(0x82);
    assertThat(guest.command(5, 0, 2, 0, 0, 0, 0, 0, 0, 0)).isEqualTo(NetControl.OK);
    assertThat(device.snapshot().net().guestOffloads()).isEqualTo(2);
    assertThat(guest.command(5, 0, 1, 0, 0, 0, 0, 0, 0, 0)).isEqualTo(NetControl.ERR);
    assertThat(guest.command(5, 0, 2, 0, 0, 0, 0, 0, 0, 0x20))
        .as("RSC_EXT does not count")
        .isEqualTo(NetControl.OK);
    assertThat(device.snapshot().net().guestOffloads()).isEqualTo(2);
  }

  @Test
  void filtersAreSetForADriverThatNegotiatedNone() {
    renegotiate(NetFeature.maskOf(NetFeature.VERSION_1, NetFeature.CTRL_VQ));

    assertThat(guest.command(0, 0, 0)).as("promiscuous off").isEqualTo(NetControl.OK);
    assertThat(guest.command(0, 3, 1)).as("a mode of CTRL_RX_EXTRA").isEqualTo(NetControl.OK);
    assertThat(guest.command(1, 1, 2, 0, 0, 0, 0, 0x77)).as("address").isEqualTo(NetControl.OK);
    assertThat(guest.command(1, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 9, 0, 0, 0, 0))
        .as("table")
        .isEqualTo(NetControl.OK);
    assertThat(guest.command(2, 1, 1, 0)).as("VLAN").isEqualTo(NetControl.OK);

    FilterState filters = device.snapshot().net().filters();
    assertThat(filters.promiscuous()).isFalse();
    assertThat(filters.noMulticast()).isTrue();
    assertThat(filters.table()).containsExactly(MacAddress.parse("02:00:00:00:00:09"));
    assertThat(filters.passesVlan(1)).isFalse();
    assertThat(device.mac()).hasToString("02:00:00:00:00:77");
  }

  @Test
  void whatABackEndActsByIsAnErrorWhereItWasNotNegotiated() {
    renegotiate(NetFeature.maskOf(NetFeature.VERSION_1, NetFeature.CTRL_VQ));

    assertThat(device.controlQueue()).isEqualTo(2);
    assertThat(guest.command(3, 0)).as("announced unasked").isEqualTo(NetControl.ERR);
    assertThat(guest.command(4, 0, 1, 0)).as("queue pairs").isEqualTo(NetControl.ERR);
    assertThat(guest.command(4, 1, 1, 0)).as("RSS").isEqualTo(NetControl.ERR);
    assertThat(guest.command(4, 2, 1, 0)).as("hash").isEqualTo(NetControl.ERR);
    assertThat(guest.command(5, 0, 0, 0, 0, 0, 0, 0, 0, 0))
        .as("offloads")
        .isEqualTo(NetControl.ERR);
    assertThat(guest.command(6, 0, 0)).as("coalescing").isEqualTo(NetControl.ERR);
    assertThat(guest.command(9, 0)).as("no such class").isEqualTo(NetControl.ERR);
    assertThat(changes).isEmpty();
  }

  @Test
  void bytesBehindACommandAreIgnoredButForAddresses() {
    assertThat(guest.command(0, 0, 0, 9)).isEqualTo(NetControl.OK);
    assertThat(guest.command(2, 0, 1, 0, 9)).isEqualTo(NetControl.OK);
    assertThat(guest.command(4, 0, 3, 0, 9)).isEqualTo(NetControl.OK);
    assertThat(guest.command(5, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9)).isEqualTo(NetControl.OK);
    assertThat(device.currentQueuePairs()).isEqualTo(3);
    assertThat(guest.command(1, 1, 2, 0, 0, 0, 0, 0x77, 9)).isEqualTo(NetControl.ERR);
  }

  @Test
  void theIndexWrapsAround() {
    guest.startAt(0xFFFE);
    for (int i = 0; i < 4; i++) {
      assertThat(guest.command(0, 1, 1)).isEqualTo(NetControl.OK);
    }
    assertThat(guest.usedIndex()).isEqualTo(2);
    assertThat(device.queue(device.controlQueue()).next()).isEqualTo(RingIndex.split(2));
  }

  @Test
  void aCommandInManyPieces() {
    guest.memory.copyIn(ControlGuest.COMMAND, new byte[] {4, 0, 2, 0});
    for (int i = 0; i < 4; i++) {
      guest.descriptor(ControlGuest.DESC, i, ControlGuest.COMMAND + i, 1, ControlGuest.NEXT, i + 1);
    }
    guest.descriptor(ControlGuest.DESC, 4, ControlGuest.ACK, 1, ControlGuest.WRITE, 0);
    guest.makeAvailable(0);

    assertThat(device.serviceControlQueue(guest.memory)).isEqualTo(1);
    assertThat(device.currentQueuePairs()).isEqualTo(2);
    assertThat(guest.memory.getInt(ControlGuest.USED + 4)).isZero();
    assertThat(guest.memory.getInt(ControlGuest.USED + 8)).isEqualTo(1);
  }

  @Test
  void anIndirectTable() {
    postIndirect();
    assertThat(device.serviceControlQueue(guest.memory)).isZero();
    assertThat(device.broken()).as("not negotiated").isTrue();

    renegotiate(device.deviceFeatures() & ~NetFeature.EVENT_IDX.mask());
    postIndirect();
    assertThat(device.serviceControlQueue(guest.memory)).isEqualTo(1);
    assertThat(device.currentQueuePairs()).isEqualTo(2);
  }

  private void postIndirect() {
    guest.memory.copyIn(ControlGuest.COMMAND, new byte[] {4, 0, 2, 0});
    guest.descriptor(ControlGuest.TABLE, 0, ControlGuest.COMMAND, 4, ControlGuest.NEXT, 1);
    guest.descriptor(ControlGuest.TABLE, 1, ControlGuest.ACK, 1, ControlGuest.WRITE, 0);
    guest.descriptor(ControlGuest.DESC, 0, ControlGuest.TABLE, 32, ControlGuest.INDIRECT, 0);
    guest.makeAvailable(0);
  }

  @Test
  void withEventIndexTheNextNotificationIsAskedFor() {
    renegotiate(device.deviceFeatures());

    guest.command(0, 1, 1);

    long availEvent = ControlGuest.USED + 4 + 8L * ControlGuest.SIZE;
    assertThat(guest.memory.getShort(availEvent)).isEqualTo((short) 1);
  }

  @Test
  void aChainThatLoops() {
    guest.descriptor(ControlGuest.DESC, 0, ControlGuest.COMMAND, 4, ControlGuest.NEXT, 1);
    guest.descriptor(ControlGuest.DESC, 1, ControlGuest.COMMAND, 4, ControlGuest.NEXT, 0);
    breaks();
  }

  @Test
  void aDescriptorBeyondTheRing() {
    guest.descriptor(ControlGuest.DESC, 0, ControlGuest.COMMAND, 4, ControlGuest.NEXT, 16);
    breaks();
  }

  @Test
  void aBufferOutsideOfMemory() {
    guest.descriptor(ControlGuest.DESC, 0, 0x7FFF_FFFF_FFFF_FFF0L, 4, ControlGuest.NEXT, 1);
    guest.descriptor(ControlGuest.DESC, 1, ControlGuest.ACK, 1, ControlGuest.WRITE, 0);
    breaks();
  }

  @Test
  void anAnswerOutsideOfMemoryStopsTheCommandBeforeItHasAnEffect() {
    guest.memory.copyIn(ControlGuest.COMMAND, new byte[] {4, 0, 2, 0});
    guest.descriptor(ControlGuest.DESC, 0, ControlGuest.COMMAND, 4, ControlGuest.NEXT, 1);
    guest.descriptor(ControlGuest.DESC, 1, 0x1_0000_0000L, 1, ControlGuest.WRITE, 0);
    breaks();
    assertThat(device.currentQueuePairs()).isEqualTo(1);
  }

  @Test
  void aCommandWithoutClassOrAnswer() {
    guest.descriptor(ControlGuest.DESC, 0, ControlGuest.COMMAND, 1, ControlGuest.NEXT, 1);
    guest.descriptor(ControlGuest.DESC, 1, ControlGuest.ACK, 1, ControlGuest.WRITE, 0);
    breaks();
    renegotiate(device.deviceFeatures() & ~RING_FEATURES);
    guest.descriptor(ControlGuest.DESC, 0, ControlGuest.COMMAND, 4, 0, 0);
    breaks();
  }

  @Test
  void aReadableBufferBehindAWritableOne() {
    guest.descriptor(ControlGuest.DESC, 0, ControlGuest.ACK, 1, 3, 1);
    guest.descriptor(ControlGuest.DESC, 1, ControlGuest.COMMAND, 4, 0, 0);
    breaks();
  }

  @Test
  void moreAvailableThanTheRingHolds() {
    guest.memory.putShort(ControlGuest.AVAIL + 2, (short) (ControlGuest.SIZE + 1));
    assertThat(device.serviceControlQueue(guest.memory)).isZero();
    assertThat(device.broken()).isTrue();
  }

  @Test
  void aCommandLongerThanAnyIsAnError() {
    for (int i = 0; i < 10; i++) {
      guest.descriptor(ControlGuest.DESC, i, 0, 0x4000, ControlGuest.NEXT, i + 1);
    }
    guest.descriptor(ControlGuest.DESC, 10, ControlGuest.ACK, 1, ControlGuest.WRITE, 0);
    guest.makeAvailable(0);
    assertThat(device.serviceControlQueue(guest.memory)).isEqualTo(1);
    assertThat(guest.memory.getByte(ControlGuest.ACK)).isEqualTo((byte) NetControl.ERR);
  }

  private void breaks() {
    guest.makeAvailable(0);

    assertThat(device.serviceControlQueue(guest.memory)).isZero();

    assertThat(device.broken()).isTrue();
    assertThat(device.status() & DeviceStatus.NEEDS_RESET).isNotZero();
    assertThat(changes).contains(DeviceChange.BROKEN, DeviceChange.CONFIG_INTERRUPT);
    assertThat(device.serviceControlQueue(guest.memory)).isZero();
    device.setStatus(0);
    assertThat(device.broken()).isFalse();
  }

  @Test
  void whatIsCompletedBeforeTheRingBreaksCounts() {
    guest.post(4, 0, 2, 0);
    guest.makeAvailable(15);

    assertThat(device.serviceControlQueue(guest.memory)).isEqualTo(1);

    assertThat(device.broken()).isTrue();
    assertThat(guest.usedIndex()).isEqualTo(1);
    assertThat(device.queue(8).next()).isEqualTo(RingIndex.split(1));
  }

  @Test
  void nothingThatAGuestWritesCausesAnException() {
    long seed = 31337;
    SplittableRandom random = new SplittableRandom(seed);
    for (int round = 0; round < 3000; round++) {
      renegotiate(device.deviceFeatures());
      for (int i = 0; i < ControlGuest.SIZE; i++) {
        guest.descriptor(
            ControlGuest.DESC,
            i,
            random.nextInt(8) == 0 ? random.nextLong() : random.nextInt(0x21000),
            random.nextInt(8) == 0 ? random.nextInt() : random.nextInt(300),
            random.nextInt(8),
            random.nextInt(ControlGuest.SIZE + 2));
      }
      byte[] noise = new byte[0x400];
      random.nextBytes(noise);
      guest.memory.copyIn(ControlGuest.COMMAND, noise);
      for (int i = random.nextInt(6); i >= 0; i--) {
        guest.makeAvailable(random.nextInt(ControlGuest.SIZE));
      }
      try {
        device.serviceControlQueue(guest.memory);
        device.snapshot();
      } catch (RuntimeException e) {
        throw new AssertionError("seed " + seed + ", round " + round, e);
      }
    }
  }
}
