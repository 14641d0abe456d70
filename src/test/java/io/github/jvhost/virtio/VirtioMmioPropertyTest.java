package io.github.jvhost.virtio;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Random register programs, one for every 50 of {@code -Djvhost.fuzz.cases=N}; {@code
 * -Djvhost.fuzz.seed=N} repeats a run.
 */
class VirtioMmioPropertyTest {
  private static final int PROGRAMS = Integer.getInteger("jvhost.fuzz.cases", 50_000) / 50;
  private static final int STEPS = 40;
  private static final long SEED = Long.getLong("jvhost.fuzz.seed", 0x5eed_0006L);
  private static final int CONFIG_GENERATION = 0xfc;

  @Test
  void registersMakeTheSameDeviceAsCallsOfTheModel() {
    for (long seed = SEED; seed < SEED + PROGRAMS; seed++) {
      Random random = new Random(seed);
      MmioGuest guest = new MmioGuest(MmioProgram.device(random));
      VirtioNet model = guest.model.twin();
      model.onChange(change -> {
        if (change == DeviceChange.CONFIG_INTERRUPT) {
          model.interruptStatus(2);
        }
      });
      MmioProgram program = new MmioProgram(random, model);
      List<String> said = new ArrayList<>();
      for (int i = 0; i < STEPS; i++) {
        MmioProgram.Step step = program.next();
        said.add(step.what());
        boolean pulled = random.nextInt(8) == 0;
        if (pulled) {
          guest.model.linkUp(!guest.model.linkUp());
          model.linkUp(!model.linkUp());
        }
        step.writes().forEach(write -> guest.write(write.offset(), write.value()));
        step.calls().accept(model);
        String where = "seed " + seed + ": " + said;
        assertThat(guest.model.snapshot()).as(where).isEqualTo(model.snapshot());
        assertSeenThroughRegisters(where, guest, model);
      }
    }
  }

  private static void assertSeenThroughRegisters(String where, MmioGuest guest, VirtioNet model) {
    assertThat(guest.read(0x70)).as(where).isEqualTo(model.status());
    assertThat(guest.read(0x60)).as(where).isEqualTo(1 | model.interruptStatus());
    int half = ((TransportState.Mmio) model.transport()).hostFeaturesSelect();
    assertThat(guest.read(0x10))
        .as(where)
        .isEqualTo(
            switch (half) {
              case 0 -> (int) model.deviceFeatures();
              case 1 -> (int) (model.deviceFeatures() >>> 32);
              default -> 0;
            });
    int ring = model.selectedQueue();
    boolean there = ring < model.queueCount();
    assertThat(guest.read(0x34)).as(where).isEqualTo(there ? model.maxRingSize(ring) : 0);
    assertThat(guest.read(0x44)).as(where).isEqualTo(there && model.queue(ring).ready() ? 1 : 0);
    assertThat(guest.readBytes(0x100, 16)).as(where).isEqualTo(model.readConfig(0, 16));
  }

  @Test
  void noDriverNoticesThatItsDeviceMovedBetweenTwoAccesses() {
    for (long seed = SEED; seed < SEED + PROGRAMS; seed++) {
      Random random = new Random(seed);
      MmioGuest stays = new MmioGuest(MmioProgram.device(random));
      MmioGuest moves = new MmioGuest(stays.model.twin());
      MmioProgram program = new MmioProgram(random, stays.model);
      List<String> said = new ArrayList<>();
      for (int i = 0; i < STEPS; i++) {
        for (MmioProgram.Write write : program.next().writes()) {
          stays.write(write.offset(), write.value());
          moves.write(write.offset(), write.value());
          said.add("%x=%x".formatted(write.offset(), write.value()));
          foreign(random, said, stays, moves);
          if (random.nextInt(4) == 0) {
            moves.migrate();
            said.add("moved");
          }
          compareOneRead(random, said, seed, stays, moves);
        }
      }
      assertThat(moves.model.snapshot())
          .as("seed %d: %s", seed, said)
          .isEqualTo(stays.model.snapshot());
      assertThat(moves.interrupts).as("seed %d: %s", seed, said).isEqualTo(stays.interrupts);
    }
  }

  /** An access that no driver should make, or a change on the host's side. */
  private static void foreign(Random random, List<String> said, MmioGuest... guests) {
    switch (random.nextInt(12)) {
      case 0 -> {
        byte[] bytes = new byte[random.nextInt(1, 9)];
        random.nextBytes(bytes);
        long offset = random.nextInt(4) == 0 ? random.nextLong() : random.nextInt(-8, 0x210);
        said.add("%x=%s".formatted(offset, HexFormat.of().formatHex(bytes)));
        for (MmioGuest guest : guests) {
          guest.writeBytes(offset, bytes);
        }
      }
      case 1 -> {
        boolean up = random.nextBoolean();
        said.add("link " + up);
        for (MmioGuest guest : guests) {
          guest.model.linkUp(up);
        }
      }
      case 2 -> {
        int mtu = random.nextInt(68, 9001);
        said.add("mtu " + mtu);
        for (MmioGuest guest : guests) {
          guest.model.mtu(mtu);
        }
      }
      case 3 -> {
        VirtioNet model = guests[0].model;
        int ring = random.nextInt(model.queueCount());
        int at = random.nextInt(model.ringSize(ring));
        int base = model.packed() ? at << 16 | at | 0x8000_8000 : at;
        said.add("ring %d goes on at %x".formatted(ring, base));
        for (MmioGuest guest : guests) {
          guest.model.setRingBase(ring, base);
        }
      }
      default -> {}
    }
  }

  private static void compareOneRead(
      Random random, List<String> said, long seed, MmioGuest stays, MmioGuest moves) {
    int length = random.nextInt(4) == 0 ? random.nextInt(1, 9) : 4;
    long offset = random.nextInt(8) == 0 ? random.nextLong() : random.nextInt(-2, 0x84) * 4L;
    if (offset != CONFIG_GENERATION) { // a number that counts on each host for itself
      assertThat(moves.readBytes(offset, length))
          .as("seed %d: %d bytes at %x after %s", seed, length, offset, said)
          .isEqualTo(stays.readBytes(offset, length));
    }
  }
}
