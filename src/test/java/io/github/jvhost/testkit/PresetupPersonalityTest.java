package io.github.jvhost.testkit;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.PresetupCode;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.testkit.RuleBreach.Rule;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Which personalities take PRESETUP, what it does there, and what must wait for the final start.
 */
class PresetupPersonalityTest {
  @Test
  void presetupIsOfferedOnlyByThoseThatKnowIt() {
    for (Personality personality : Personality.values()) {
      U64 offered =
          (U64)
              ToldState.withPresetup(personality)
                  .tell(FrontEndRequest.GET_PROTOCOL_FEATURES, NoPayload.INSTANCE, 0)
                  .answer();

      boolean knows = personality == Personality.GENERIC || personality == Personality.VFE;
      assertThat((offered.value() & 1L << 40) != 0).as("%s", personality).isEqualTo(knows);
    }
  }

  @Test
  void presetupConfiguresAtItsEndAndStartsNothing() {
    for (Personality personality : List.of(Personality.GENERIC, Personality.VFE)) {
      ToldState told = preset(personality);

      assertThat(told.state.isAnyStarted()).as("%s", personality).isFalse();
      assertThat(told.breaches()).isEmpty();
    }
  }

  @Test
  void afterPresetupOnlyTheDifferenceStartsTheDevice() {
    for (Personality personality : List.of(Personality.GENERIC, Personality.VFE)) {
      ToldState told = preset(personality);
      told.usedInMemory[0] = 1000;
      told.usedInMemory[1] = 1001;

      for (int i = 0; i < 2; i++) {
        told.base(i, 1000 + i).kick(i).call(i);
      }
      assertThat(told.state.isAnyStarted()).isFalse();
      Outcome outcome = told.tell(FrontEndRequest.SET_STATUS, new U64(0xf), 0);

      assertThat(told.started(0) && told.started(1)).as("%s", personality).isTrue();
      assertThat(told.baseOf(0)).isEqualTo(1000);
      assertThat(told.state.ring(1).nextUsed()).isEqualTo(1001);
      HardwareImage image = ((Effect.Configured) outcome.effects().getLast()).image();
      assertThat(image.rings()).extracting(HardwareImage.Ring::index).containsExactly(1000, 1001);
      assertThat(told.breaches()).isEmpty();
    }
  }

  @Test
  void vfeTakesTheUsedIndexAtDriverOkWhateverBaseSaid() {
    ToldState told = ToldState.withPresetup(Personality.VFE).negotiated().ring(0, 0).ring(1, 0);
    told.base(0, 55);
    told.usedInMemory[0] = 1000;

    told.status(0xf);

    assertThat(told.baseOf(0)).isEqualTo(1000);
  }

  @Test
  void whatMustWaitForTheFinalStartIsWrittenDown() {
    ToldState told = ToldState.withPresetup(Personality.GENERIC).negotiated();

    told.presetup(PresetupCode.END);
    told.presetup(PresetupCode.START).size(0).address(0).kick(0).status(0xf);
    told.stop(0);

    assertThat(told.breaches())
        .containsExactly(
            Rule.PRESETUP_ORDER, Rule.PRESETUP_ORDER, Rule.PRESETUP_ORDER, Rule.PRESETUP_ORDER);
  }

  @Test
  void whereRingsAreHeldUntilDriverOkTheKickMayComeBeforeTheEnd() {
    ToldState told = ToldState.withPresetup(Personality.VFE).negotiated();
    told.presetup(PresetupCode.START).size(0).size(1);
    told.state.guestMemoryComplete(false);

    for (int i = 0; i < 2; i++) {
      told.base(i, 0).address(i).kick(i).call(i).enable(i, true);
    }
    told.presetup(PresetupCode.END);

    assertThat(told.state.isAnyStarted()).isFalse();
    told.state.guestMemoryComplete(true);
    told.base(0, 7).base(1, 8).status(0xf);
    assertThat(told.started(0) && told.started(1)).isTrue();
    assertThat(told.breaches()).isEmpty();
  }

  @Test
  void presetupWithoutStatusIsTheKnownTrap() {
    ToldState told =
        new ToldState(
            ToldState.withPresetup(Personality.VFE)
                .state
                .offer()
                .without(ProtocolFeature.STATUS)
                .withQueuePairs(1));
    told.negotiated().presetup(1);

    told.state.guestMemoryComplete(false);
    for (int i = 0; i < 2; i++) {
      told.size(i).address(i).kickWithout(i);
      told.done(FrontEndRequest.SET_VRING_CALL, new VringDescriptor(i, true), 0).enable(i, true);
    }

    assertThat(told.state.isAnyStarted()).isTrue();
    assertThat(told.breaches())
        .contains(Rule.PRESETUP_WITHOUT_STATUS, Rule.STARTED_ON_INCOMPLETE_MEMORY);
  }

  private static ToldState preset(Personality personality) {
    ToldState told = ToldState.withPresetup(personality).negotiated().status(8);
    told.state.guestMemoryComplete(false);
    told.presetup(PresetupCode.START);
    for (int i = 0; i < 2; i++) {
      told.size(i).base(i, 0).address(i).kickWithout(i);
      told.done(FrontEndRequest.SET_VRING_CALL, new VringDescriptor(i, true), 0).enable(i, true);
    }
    Outcome end = told.tell(FrontEndRequest.PRESETUP, new U64(PresetupCode.END), 0);
    assertThat(end.effects())
        .singleElement()
        .isInstanceOfSatisfying(
            Effect.Configured.class,
            c -> {
              assertThat(c.beforeAnswer()).as("its acknowledgement is a time mark").isTrue();
              assertThat(c.image().rings()).hasSize(2);
            });
    told.state.guestMemoryComplete(true);
    return told;
  }
}
