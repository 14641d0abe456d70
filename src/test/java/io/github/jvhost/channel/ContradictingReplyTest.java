package io.github.jvhost.channel;

import static io.github.jvhost.channel.BackEndPair.bytes;
import static io.github.jvhost.channel.ChannelPair.soon;
import static io.github.jvhost.channel.ChannelPair.u64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Bytes;
import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.ConfigSpace;
import io.github.jvhost.protocol.DeviceStateTransfer;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.Inflight;
import io.github.jvhost.protocol.Iotlb;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.SingleRegion;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VhostFeature;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.MemoryFile;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Replies that are well-formed by themselves and do not fit what was asked, or themselves. */
class ContradictingReplyTest {
  private static final ConfigSpace FOUR_BYTES = new ConfigSpace(6, 0, Bytes.zeros(4));
  private static final MemoryRegionPayload OURS = new MemoryRegionPayload(0, 4096, 0x1000, 0);
  private static final MemoryRegionPayload THEIRS =
      new MemoryRegionPayload(0, 4096, 0x7f00_0000_0000L, 0);

  private ChannelPair pair;
  private MemoryFile file;

  @BeforeEach
  void open() throws Exception {
    pair = ChannelPair.open();
    pair.channel.negotiated(-1L & ~ProtocolFeature.XEN_MMAP.mask());
    file = MemoryFile.create(pair.ledger, "file", 4096);
  }

  @AfterEach
  void nothingIsLeft() {
    file.close();
    pair.close();
    assertThat(pair.ledger.describeOpen()).isEmpty();
  }

  private void send(FrontEndRequest request, Payload payload, OwnedDescriptor... descriptors) {
    pair.channel.send(request, payload, List.of(descriptors), false, soon());
    pair.channel.flush(soon());
  }

  private void poisonedBy(String message) {
    assertThatThrownBy(() -> pair.channel.awaitReply(soon()))
        .isExactlyInstanceOf(ProtocolException.class)
        .hasMessageContaining(message);
    assertThat(pair.channel.poisoned()).isTrue();
    assertThat(ChannelPair.besidesSockets(pair.ledger)).as("only the file's own").hasSize(1);
  }

  @Test
  void aConfigurationOfAnotherSize() {
    for (int size : new int[] {3, 5}) {
      pair.close();
      assertThat(reopened()).isNotNull();
      send(FrontEndRequest.GET_CONFIG, FOUR_BYTES);
      pair.answer(24, bytes(new ConfigSpace(6, 0, Bytes.zeros(size))));
      assertThatThrownBy(() -> pair.channel.awaitReply(soon()))
          .isInstanceOf(ProtocolException.class)
          .hasMessageContaining(
              "GET_CONFIG has %d bytes, expected 16 as in the request".formatted(12 + size));
    }
  }

  private ChannelPair reopened() {
    file.close();
    try {
      open();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
    return pair;
  }

  @Test
  void aRefusedConfigurationIsAnAnswer() {
    send(FrontEndRequest.GET_CONFIG, FOUR_BYTES);
    pair.answer(24, new byte[0]);
    assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(NoPayload.INSTANCE);
    assertThat(pair.channel.poisoned()).isFalse();
  }

  @Test
  void aConfigurationThatSaysAnotherSizeThanItHas() {
    send(FrontEndRequest.GET_CONFIG, FOUR_BYTES);
    byte[] wrong = bytes(FOUR_BYTES);
    wrong[4] = 3;
    pair.answer(24, wrong);
    poisonedBy("says 3 bytes, 4 are there");
  }

  @Test
  void anInflightRegionWithoutItsDescriptor() {
    send(FrontEndRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 2, 256));
    pair.answer(31, bytes(new Inflight(4096, 0, 2, 256)));
    poisonedBy("0 descriptors with the reply to GET_INFLIGHT_FD, at least 1");
  }

  @Test
  void noInflightRegionNeedsNone() {
    send(FrontEndRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 2, 256));
    byte[] unpadded = new byte[20];
    pair.answer(31, unpadded);
    assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(new Inflight(0, 0, 0, 0));
  }

  @Test
  void anInflightRegionThatIsTooShort() {
    send(FrontEndRequest.GET_INFLIGHT_FD, new Inflight(0, 0, 2, 256));
    pair.answer(31, new byte[19]);
    poisonedBy("GET_INFLIGHT_FD has 19 bytes, expected 20 to 4096");
  }

  @Test
  void postcopyWithoutAUserfaultfd() {
    pair.channel.negotiated(ProtocolFeature.PAGEFAULT.mask());
    send(FrontEndRequest.POSTCOPY_ADVISE, NoPayload.INSTANCE);
    pair.answer(28, new byte[0]);
    poisonedBy("0 descriptors with the reply to POSTCOPY_ADVISE, at least 1");
  }

  @Test
  void aStateTransferThatPromisesADescriptorAndBringsNone() {
    send(
        FrontEndRequest.SET_DEVICE_STATE_FD,
        new DeviceStateTransfer(DeviceStateTransfer.Direction.SAVE),
        file.descriptor());
    pair.answer(42, u64(0));
    poisonedBy("0 descriptors with the reply to SET_DEVICE_STATE_FD, at least 1");
  }

  @Test
  void aStateTransferThatPromisesNoneAndBringsOne() {
    send(
        FrontEndRequest.SET_DEVICE_STATE_FD,
        new DeviceStateTransfer(DeviceStateTransfer.Direction.SAVE),
        file.descriptor());
    pair.answer(42, u64(0x100), file.descriptor());
    poisonedBy("1 descriptors with the reply to SET_DEVICE_STATE_FD, at most 0");
  }

  @Test
  void aRefusedStateTransferIsAnAnswer() {
    send(
        FrontEndRequest.SET_DEVICE_STATE_FD,
        new DeviceStateTransfer(DeviceStateTransfer.Direction.LOAD),
        file.descriptor());
    pair.answer(42, u64(1));
    assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(new U64(1));
  }

  @Test
  void whilePostcopyIsOnTheTableComesBackWithTheirAddresses() {
    pair.channel.postcopyListening(true);
    send(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(OURS)), file.descriptor());
    pair.answer(5, bytes(new MemoryTablePayload(List.of(THEIRS))));
    assertThat(pair.channel.awaitReply(soon()).payload())
        .isEqualTo(new MemoryTablePayload(List.of(THEIRS)));
    send(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of()));
    assertThat(pair.channel.outstandingReplies()).as("the go-ahead is not answered").isZero();
    pair.peer.receive(soon()).descriptors().forEach(OwnedDescriptor::close);
    assertThat(pair.peer.receive(soon()).payload()).as("a u64 of 0").isEqualTo(new byte[8]);

    send(FrontEndRequest.ADD_MEM_REG, new SingleRegion(OURS), file.descriptor());
    pair.answer(37, bytes(new SingleRegion(THEIRS)));
    assertThat(pair.channel.awaitReply(soon()).payload()).isEqualTo(new SingleRegion(THEIRS));
    pair.peer.receive(soon()).descriptors().forEach(OwnedDescriptor::close);
    pair.channel.postcopyListening(false);
    send(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(OURS)), file.descriptor());
    assertThat(pair.channel.outstandingReplies()).isZero();
    pair.peer.receive(soon()).descriptors().forEach(OwnedDescriptor::close);
  }

  @Test
  void anAcknowledgementInThePlaceOfTheTable() {
    pair.channel.postcopyListening(true);
    send(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of(OURS)), file.descriptor());
    pair.peer.receive(soon()).descriptors().forEach(OwnedDescriptor::close);
    pair.answer(5, u64(1));
    poisonedBy("memory table of 1 regions");
  }

  @Test
  void messagesOfTheIommuNeedIt() {
    Iotlb update = new Iotlb(0, 4096, 0, 3, Iotlb.UPDATE);
    for (boolean uncollected : new boolean[] {false, true}) {
      assertThatThrownBy(
              () -> {
                if (uncollected) {
                  pair.channel.sendUncollected(FrontEndRequest.IOTLB_MSG, update);
                } else {
                  send(FrontEndRequest.IOTLB_MSG, update);
                }
              })
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("IOTLB_MSG cannot be sent: feature ACCESS_PLATFORM (bit 33)")
          .extracting(e -> ((VhostException) e).recovery())
          .isEqualTo(Recovery.GIVE_UP);
    }
    send(FrontEndRequest.SET_FEATURES, new U64(VhostFeature.IOMMU_PLATFORM));
    pair.channel.sendUncollected(FrontEndRequest.IOTLB_MSG, update);
    assertThat(pair.channel.outstandingReplies()).isZero();
  }

  @Test
  void regionsForXenAreNotWritten() {
    pair.channel.negotiated(ProtocolFeature.XEN_MMAP.mask());
    assertThatThrownBy(() -> send(FrontEndRequest.SET_MEM_TABLE, new MemoryTablePayload(List.of())))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining("XEN_MMAP is negotiated, and its memory regions are not supported");
  }
}
