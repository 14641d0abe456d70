package io.github.jvhost.vhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.migration.MigrationOptions;
import io.github.jvhost.protocol.MessageClass;
import io.github.jvhost.protocol.ReplyDeadlines;
import io.github.jvhost.sys.DescriptorLedger;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What the usual bounds of a whole transition allow, compared with those of the messages in it: a
 * back end that pins a large guest's memory has the time that it is said to have.
 */
class BoundsThatAgreeTest {
  private static final VhostDeviceOptions USUAL =
      VhostDeviceOptions.of("net0", Path.of("socket"), DescriptorLedger.counting());
  private static final ReplyDeadlines REPLIES = USUAL.replies();

  @Test
  void theUsualBoundsOfMessagesAreThoseThatAreDocumented() {
    assertThat(REPLIES).isEqualTo(ReplyDeadlines.DEFAULTS);
  }

  /** A transfer is no part of a transition: it has a deadline of its own. */
  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "TRANSFER")
  void everyMessageOfATransitionHasItsTime(MessageClass message) {
    assertThat(USUAL.transitionWithin()).isGreaterThanOrEqualTo(REPLIES.of(message));
  }

  @Test
  void memoryAndAStartBehindItFitIntoOneTransition() {
    Duration both = REPLIES.memory().plus(REPLIES.start());
    assertThat(USUAL.transitionWithin()).isGreaterThanOrEqualTo(both);
  }

  @Test
  void whatPresetupTellsHasItsTime() {
    for (MessageClass message :
        EnumSet.of(MessageClass.QUESTION, MessageClass.SETTING, MessageClass.MEMORY)) {
      assertThat(USUAL.presetupWithin())
          .as("%s", message)
          .isGreaterThanOrEqualTo(REPLIES.of(message));
    }
  }

  /** Nothing comes over the link while a back end stops, and while its state is read. */
  @Test
  void aDestinationWaitsAsLongAsTheSourceMayTakeToStop() {
    Duration stop = USUAL.transitionWithin();
    Duration state = USUAL.transitionWithin();
    assertThat(MigrationOptions.defaults().windowWithin())
        .isGreaterThanOrEqualTo(stop.plus(state))
        .isGreaterThanOrEqualTo(MigrationOptions.defaults().linkWithin());
  }

  /** A source that stops waiting behind COMMIT does not know whether its guest runs. */
  @Test
  void aSourceWaitsAsLongAsTheDestinationMayTakeToStart() {
    MigrationOptions options = MigrationOptions.defaults();
    Duration latePresetup = options.lateWithin().plus(USUAL.connectWithin());
    Duration state = USUAL.transitionWithin();
    Duration start = USUAL.transitionWithin();
    Duration again = USUAL.connectWithin().plus(USUAL.transitionWithin());
    assertThat(options.windowWithin())
        .isGreaterThanOrEqualTo(latePresetup.plus(state).plus(start).plus(again));
  }

  @Test
  void whoeverWaitsForATransitionOfTheDeviceWaitsAsLongAsTheLongest() {
    assertThat(USUAL.longest())
        .isGreaterThanOrEqualTo(USUAL.transitionWithin())
        .isGreaterThanOrEqualTo(USUAL.presetupWithin());
  }
}
