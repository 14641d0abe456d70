package io.github.jvhost.vhost.kernel;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.virtio.NetFeature;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

/** What is made of the answers of a device. */
class VdpaOfferTest {
  private static final int CONTROL_GROUP = 1;
  private static final int CONFIG_PAIRS = 8;

  private long offered =
      NetFeature.maskOf(
          NetFeature.MQ, NetFeature.CTRL_VQ, NetFeature.CTRL_MAC_ADDR, NetFeature.ACCESS_PLATFORM);
  private int pairs = 2;

  /** Whether ring 2 is the control queue whatever was negotiated. */
  private boolean alwaysBehindOnePair;

  private long accepted;
  private int status;

  /** A device of some queue pairs. Its control queue is behind all of them once MQ is accepted. */
  private final class Device extends DeviceFile {
    Device() {
      super(EventFd.create(DescriptorLedger.counting(), "device").descriptor());
    }

    @Override
    int tryCall(Ioctl call, long value) {
      MemorySegment answer = scratch();
      switch (call) {
        case VDPA_GET_DEVICE_ID -> answer.set(JAVA_INT, 0, 1);
        case GET_FEATURES -> answer.set(JAVA_LONG, 0, offered);
        case GET_BACKEND_FEATURES -> answer.set(JAVA_LONG, 0, 0x17e);
        case VDPA_GET_VRING_NUM -> answer.set(JAVA_SHORT, 0, (short) 256);
        case VDPA_GET_VQS_COUNT -> answer.set(JAVA_INT, 0, 2 * pairs + 1);
        case VDPA_GET_GROUP_NUM, VDPA_GET_AS_NUM -> answer.set(JAVA_INT, 0, 2);
        case VDPA_GET_VRING_GROUP ->
            answer.set(JAVA_INT, 4, answer.get(JAVA_INT, 0) == control() ? CONTROL_GROUP : 0);
        case VDPA_GET_CONFIG -> {
          assertThat(answer.get(JAVA_INT, 0)).isEqualTo(CONFIG_PAIRS);
          answer.set(JAVA_SHORT, 8, (short) pairs);
        }
        case SET_FEATURES -> accepted = answer.get(JAVA_LONG, 0);
        case VDPA_SET_STATUS -> {
          status = answer.get(JAVA_BYTE, 0);
          accepted = status == 0 ? 0 : accepted;
        }
        default -> {}
      }
      return 0;
    }

    private int control() {
      boolean behindAll = NetFeature.MQ.in(accepted) && (status & 8) != 0 && !alwaysBehindOnePair;
      return behindAll ? 2 * pairs : 2;
    }
  }

  private VdpaOffer ask() {
    try (var device = new Device()) {
      return VdpaOffer.ask(device, "/dev/vhost-vdpa-9");
    }
  }

  @Test
  void theControlQueueIsBehindAllPairs() {
    VdpaOffer offer = ask();

    assertThat(offer.controlGroup()).isEqualTo(CONTROL_GROUP);
    assertThat(offer.takesCommands()).isTrue();
    assertThat(offer.queuePairs()).isEqualTo(2);
    assertThat(status).as("it is reset").isZero();
  }

  @Test
  void theDeviceIsToldNothingThatItDoesNotOffer() {
    offered &= ~NetFeature.CTRL_MAC_ADDR.mask();
    long negotiated = NetFeature.maskOf(NetFeature.MQ, NetFeature.GUEST_ANNOUNCE);

    assertThat(ask().agreed(negotiated)).isEqualTo(offered);
  }

  @Test
  void withoutMqItIsBehindTheFirstPair() {
    offered &= ~NetFeature.MQ.mask();
    VdpaOffer offer = ask();

    assertThat(offer.controlGroup()).isEqualTo(CONTROL_GROUP);
    assertThat(offer.queuePairs()).isEqualTo(1);
  }

  /** Its memory would be the guest's, and it could not be told how many pairs are in use. */
  @Test
  void whereItSharesItsGroupWithTheGuestOnePairIsUsed() {
    alwaysBehindOnePair = true;
    VdpaOffer offer = ask();

    assertThat(offer.controlGroup()).isEqualTo(-1);
    assertThat(offer.takesCommands()).isFalse();
    assertThat(offer.queuePairs()).isEqualTo(1);
  }
}
