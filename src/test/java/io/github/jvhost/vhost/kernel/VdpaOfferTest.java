package io.github.jvhost.vhost.kernel;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.virtio.NetFeature;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** What is made of the answers of devices that this machine does not have. */
class VdpaOfferTest {
  private static final int CONTROL_GROUP = 1;
  private static final int RINGS = 5;

  /** A device of two queue pairs, with one ring in a group of its own. */
  private static final class TwoPairs extends DeviceFile {
    private final int alone;

    TwoPairs(DescriptorLedger ledger, int alone) {
      super(EventFd.create(ledger, "device").descriptor());
      this.alone = alone;
    }

    @Override
    int tryCall(Ioctl call, long value) {
      MemorySegment answer = scratch();
      switch (call) {
        case VDPA_GET_DEVICE_ID -> answer.set(JAVA_INT, 0, 1);
        case GET_FEATURES ->
            answer.set(
                JAVA_LONG,
                0,
                NetFeature.maskOf(
                    NetFeature.MQ,
                    NetFeature.CTRL_VQ,
                    NetFeature.CTRL_MAC_ADDR,
                    NetFeature.ACCESS_PLATFORM));
        case GET_BACKEND_FEATURES -> answer.set(JAVA_LONG, 0, 0x17e);
        case VDPA_GET_VRING_NUM -> answer.set(JAVA_SHORT, 0, (short) 256);
        case VDPA_GET_VQS_COUNT -> answer.set(JAVA_INT, 0, RINGS);
        case VDPA_GET_GROUP_NUM, VDPA_GET_AS_NUM -> answer.set(JAVA_INT, 0, 2);
        case VDPA_GET_VRING_GROUP ->
            answer.set(JAVA_INT, 4, answer.get(JAVA_INT, 0) == alone ? CONTROL_GROUP : 0);
        default -> {}
      }
      return 0;
    }
  }

  private static VdpaOffer offered(int alone) {
    try (var device = new TwoPairs(DescriptorLedger.counting(), alone)) {
      return VdpaOffer.ask(device, "/dev/vhost-vdpa-9");
    }
  }

  /** MQ is not negotiated, so its control queue is ring 2, however many rings it has. */
  @Test
  void theControlQueueIsBehindTheFirstPair() {
    assertThat(offered(2).controlGroup()).isEqualTo(CONTROL_GROUP);
    assertThat(offered(2).takesCommands()).isTrue();
    assertThat(offered(RINGS - 1).controlGroup()).isEqualTo(-1);
  }
}
