package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Pages that adjoin only in I/O virtual addresses, at the mock back end. */
class MockAdjoiningPagesTest extends MockIotlbRig {
  // Adjoining addresses whose memory is apart.

  @Test
  void aReceivedFrameOverTwoAdjoiningPagesRunsIntoAForeignPage() throws Exception {
    connect(IotlbModel.DPDK);
    ringsAndApart(0x200000, 0x300000);
    guest.post(0, 2, 0x200000 + PAGE - 100, 2048);

    peer.transmit(TestFrontEnd.frame(7, 200));
    assertThat(guest.called(0)).isTrue();

    byte[] whole = TestFrontEnd.frame(7, 200);
    assertThat(read(0x200000 + PAGE, 112))
        .as("never mapped")
        .isEqualTo(Arrays.copyOfRange(whole, 88, 200));
    assertThat(read(0x300000, 112)).as("mapped").containsOnly(0);
  }

  @Test
  void aSentFrameOverTwoAdjoiningPagesHasForeignBytes() throws Exception {
    connect(IotlbModel.DPDK);
    ringsAndApart(0x200000, 0x300000);
    byte[] frame = TestFrontEnd.frame(7, 200);
    guest.memory.copyIn(0x200000 + PAGE - 88, Arrays.copyOf(frame, 88));
    guest.memory.copyIn(0x300000, Arrays.copyOfRange(frame, 88, 200));
    guest.post(1, 0, 0x200000 + PAGE - 100, 212);
    guest.kicks[1].signal();

    assertThat(next()).isEqualTo(Arrays.copyOf(Arrays.copyOf(frame, 88), 200));
  }

  @Test
  void aBackEndThatLooksAtEachPieceIsRightAcrossTwoPages() throws Exception {
    connect(IotlbModel.DPDK.withoutJoining());
    ringsAndApart(0x200000, 0x300000);
    guest.post(0, 2, 0x200000 + PAGE - 100, 2048);
    peer.transmit(TestFrontEnd.frame(7, 200));
    assertThat(guest.called(0)).isTrue();

    byte[] whole = TestFrontEnd.frame(7, 200);
    assertThat(read(0x200000 + PAGE - 88, 88)).isEqualTo(Arrays.copyOf(whole, 88));
    assertThat(read(0x300000, 112)).isEqualTo(Arrays.copyOfRange(whole, 88, 200));
    assertThat(read(0x200000 + PAGE, 112)).containsOnly(0);
  }

  @Test
  void ofARingOverTwoAdjoiningPagesTheSecondIsNotRead() throws Exception {
    connect(IotlbModel.DPDK);
    guest.ok(FrontEndRequest.SET_VRING_NUM, new VringState(1, 512));
    // Descriptors 0 to 255 are at 0x200000, and 256 to 511 at 0x300000.
    apart(0x200000, 0x300000);
    told(update(page(0x210000), 2 * PAGE, 0x210000, RW));
    told(update(page(0x220000), 2 * PAGE, 0x220000, RW));
    ring(1, 512, page(0x200000), page(0x210000), page(0x220000));
    ring(0, 8, page(0x210000), page(0x210000) + 0x1000, page(0x220000) + 0x1800);
    guest.ok(FrontEndRequest.SET_STATUS, new U64(0xf));
    byte[] frame = TestFrontEnd.frame(1, 60);
    guest.memory.copyIn(0x200000L + 12, frame);
    guest.memory.putLong(0x300000L + 16 * 44, page(0x200000));
    guest.memory.putInt(0x300000L + 16 * 44 + 8, 72);
    guest.memory.putShort(0x210000L + 4, (short) 300);
    guest.memory.putShortRelease(0x210000L + 2, (short) 1);
    guest.kicks[1].signal();

    assertThat(backEnd.record().await(r -> !r.notes().isEmpty(), TestFrontEnd.soon())).isTrue();
    assertThat(backEnd.record().notes().getFirst())
        .as("descriptor 300, read from a page that was never mapped, is empty")
        .contains("gave up ring 1")
        .contains("a frame of 0 bytes");
  }
}
