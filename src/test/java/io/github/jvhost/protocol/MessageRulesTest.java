package io.github.jvhost.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.Bytes;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** What depends on the content of one message. */
class MessageRulesTest {
  private static final MemoryTablePayload TABLE =
      new MemoryTablePayload(List.of(new MemoryRegionPayload(0, 4096, 0, 0)));

  @Test
  void everyClassOfWorkHasItsMessages() {
    assertThat(named(MessageClass.QUESTION))
        .containsExactly(
            "GET_FEATURES",
            "GET_PROTOCOL_FEATURES",
            "GET_QUEUE_NUM",
            "GET_CONFIG",
            "GET_MAX_MEM_SLOTS",
            "GET_STATUS",
            "GET_SHARED_OBJECT",
            "GET_SHMEM_CONFIG");
    assertThat(named(MessageClass.MEMORY))
        .containsExactly(
            "SET_MEM_TABLE",
            "SET_LOG_BASE",
            "GET_INFLIGHT_FD",
            "SET_INFLIGHT_FD",
            "ADD_MEM_REG",
            "REM_MEM_REG");
    assertThat(named(MessageClass.STOP))
        .containsExactly(
            "RESET_OWNER", "GET_VRING_BASE", "RESET_DEVICE", "GET_VRING_BASE_SKIP_DRAIN");
    assertThat(named(MessageClass.START))
        .containsExactly(
            "SET_VRING_KICK", "SET_VRING_CALL", "SET_VRING_ENABLE", "SET_STATUS", "PRESETUP");
    assertThat(named(MessageClass.TRANSFER))
        .containsExactly("POSTCOPY_END", "SET_DEVICE_STATE_FD", "CHECK_DEVICE_STATE");
  }

  private static List<String> named(MessageClass messageClass) {
    return Arrays.stream(FrontEndRequest.values())
        .filter(request -> request.messageClass() == messageClass)
        .map(Enum::name)
        .toList();
  }

  @Test
  void numbersThatMustBeAnother() {
    for (FrontEndRequest zero :
        List.of(
            FrontEndRequest.GET_VRING_BASE,
            FrontEndRequest.GET_VRING_BASE_SKIP_DRAIN,
            FrontEndRequest.VRING_KICK)) {
      zero.requireWellFormed(new VringState(3, 0), 0);
      assertThatIllegalArgumentException()
          .isThrownBy(() -> zero.requireWellFormed(new VringState(3, 1), 0))
          .withMessage(zero + " with the number 1, expected 0");
    }
    for (FrontEndRequest bool :
        List.of(FrontEndRequest.SET_VRING_ENABLE, FrontEndRequest.SET_VRING_ENDIAN)) {
      bool.requireWellFormed(new VringState(3, 1), 0);
      for (int wrong : new int[] {2, -1}) {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> bool.requireWellFormed(new VringState(3, wrong), 0))
            .withMessageContaining("expected 0 or 1");
      }
    }
    FrontEndRequest.SET_VRING_BASE.requireWellFormed(new VringState(3, -1), 0);
  }

  @Test
  void whatIsAnsweredDependsOnTheMoment() {
    FrontEndRequest set = FrontEndRequest.SET_MEM_TABLE;
    FrontEndRequest add = FrontEndRequest.ADD_MEM_REG;
    SingleRegion region = new SingleRegion(TABLE.regions().getFirst());
    assertThat(set.answerTo(TABLE, 0, false, false)).isEmpty();
    assertThat(set.answerTo(TABLE, 0, false, true)).isEqualTo(Optional.of(PayloadKind.U64));
    assertThat(set.answerTo(TABLE, 0, true, false))
        .isEqualTo(Optional.of(PayloadKind.MEMORY_TABLE));
    assertThat(set.answerTo(new MemoryTablePayload(List.of()), 0, true, false)).isEmpty();
    assertThat(add.answerTo(region, 0, true, true))
        .isEqualTo(Optional.of(PayloadKind.SINGLE_REGION));
    assertThat(add.answerTo(region, 0, false, false)).isEmpty();
    assertThat(FrontEndRequest.GET_STATUS.answerTo(NoPayload.INSTANCE, 0, false, true))
        .as("once, whether asked or not")
        .isEqualTo(Optional.of(PayloadKind.U64));
  }

  @Test
  void theIommuIsAFeatureAndNoProtocolFeature() {
    for (FrontEndRequest request : FrontEndRequest.values()) {
      assertThat(request.featureMask())
          .isEqualTo(request == FrontEndRequest.IOTLB_MSG ? VhostFeature.IOMMU_PLATFORM : 0);
    }
    assertThat(BackEndRequest.IOTLB_MSG.featureMask()).isEqualTo(1L << 33);
    assertThat(BackEndRequest.CONFIG_CHANGE_MSG.featureMask()).isZero();
  }

  @Test
  void aBackEndsRequestIsCheckedAsAWhole() {
    ByteBuf mapping = Unpooled.buffer();
    new MmapRequest(1, 0, 0, 4096, true).encode(mapping);
    assertThat(BackEndRequest.SHMEM_MAP.decode(mapping.duplicate(), 40, 1))
        .isEqualTo(new MmapRequest(1, 0, 0, 4096, true));
    assertThatThrownBy(() -> BackEndRequest.SHMEM_MAP.decode(mapping.duplicate(), 40, 0))
        .isInstanceOf(ProtocolException.class)
        .hasMessage("SHMEM_MAP with 0 descriptors, expected 1");
    assertThatThrownBy(() -> BackEndRequest.SHMEM_UNMAP.decode(mapping.duplicate(), 40, 1))
        .isInstanceOf(ProtocolException.class)
        .hasMessage("SHMEM_UNMAP with 1 descriptors, expected 0");
    assertThatThrownBy(() -> BackEndRequest.IOTLB_MSG.requireFittingSize(25))
        .isInstanceOf(ProtocolException.class)
        .hasMessage("IOTLB_MSG has 25 bytes, expected 26 to 4096");
  }

  @Test
  void aStateTransferSaysWhetherADescriptorComes() {
    FrontEndRequest set = FrontEndRequest.SET_DEVICE_STATE_FD;
    set.requireFittingAnswer(new U64(DeviceStateTransfer.NO_DESCRIPTOR), 0);
    set.requireFittingAnswer(new U64(0), 1);
    set.requireFittingAnswer(new U64(1), 0);
    set.requireFittingAnswer(new U64(DeviceStateTransfer.NO_DESCRIPTOR | 1), 0);
    assertThatThrownBy(() -> set.requireFittingAnswer(new U64(0), 0))
        .isInstanceOf(ProtocolException.class);
    assertThatThrownBy(
            () -> set.requireFittingAnswer(new U64(DeviceStateTransfer.NO_DESCRIPTOR), 1))
        .isInstanceOf(ProtocolException.class);
  }

  @Test
  void aRequestCarriesItsOwnLayoutAndNoOther() {
    var random = new SplittableRandom(7);
    for (FrontEndRequest request : FrontEndRequest.values()) {
      for (PayloadKind kind : EnumSet.complementOf(EnumSet.of(request.payload()))) {
        Payload other = Payloads.random(kind, random);
        if (other.kind() == kind) { // an IGNORED one is not a payload of its own
          assertThatIllegalArgumentException()
              .isThrownBy(() -> request.requireWellFormed(other, 0))
              .withMessage(request + " carries " + request.payload() + ", not " + kind);
        }
      }
    }
  }

  @Test
  void whatNoMessageCanHoldIsRefusedBeforeItIsSent() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new OpaquePayload(Bytes.copyOf(new byte[Header.MAX_PAYLOAD + 1])))
        .withMessage("an opaque payload of 4097 bytes");
    for (int wrong : new int[] {-1, 65536}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> new Inflight(0, 0, wrong, 256))
          .withMessage(wrong + " queues of 256 entries: 0 to 65535 each");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> new Inflight(0, 0, 2, wrong))
          .withMessage("2 queues of " + wrong + " entries: 0 to 65535 each");
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new MmapRequest(256, 0, 0, 4096, false))
        .withMessage("shared memory region 256");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new ShmemConfig(Collections.nCopies(255, 0L)))
        .withMessage("255 shared memory sizes, expected 256");
  }
}
