package io.github.jvhost.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.Faults.When;
import io.github.jvhost.testkit.Faults.Wrong;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Faults and times as words. */
class FaultWordsTest {
  private static Wrong wrong(String text) {
    Faults.Fault fault = FaultWords.parse("set-mem-table=" + text);
    assertThat(fault.when()).isEqualTo(new When.Occurrence(FrontEndRequest.SET_MEM_TABLE, 1));
    return fault.wrong();
  }

  @Test
  void everyKindHasItsWord() {
    assertThat(wrong("refuse")).isEqualTo(new Wrong.Refuse());
    assertThat(wrong("refuse-silently")).isEqualTo(new Wrong.RefuseSilently());
    assertThat(FaultWords.parse("get-vring-base=base:0x1388").wrong())
        .isEqualTo(new Wrong.Base(5000));
    assertThat(wrong("delay:200ms")).isEqualTo(new Wrong.Delay(Duration.ofMillis(200)));
    assertThat(wrong("short-reply")).isEqualTo(new Wrong.ShortReply());
    assertThat(wrong("wrong-size")).isEqualTo(new Wrong.WrongSize());
    assertThat(wrong("wrong-id")).isEqualTo(new Wrong.WrongId());
    assertThat(wrong("reply-flags:0xd")).isEqualTo(new Wrong.ReplyFlags(0xd));
    assertThat(wrong("reply-flags:13")).isEqualTo(new Wrong.ReplyFlags(13));
    assertThat(wrong("hang-up-before")).isEqualTo(new Wrong.HangUpBefore());
    assertThat(wrong("Hang-Up-After")).isEqualTo(new Wrong.HangUpAfter());
    assertThat(wrong("never-read")).isEqualTo(new Wrong.NeverRead());
    assertThat(wrong("no-answer")).isEqualTo(new Wrong.NoAnswer());
    assertThat(wrong("never-answers")).isEqualTo(new Wrong.NeverAnswers());
    assertThat(wrong("answer-twice")).isEqualTo(new Wrong.AnswerTwice());
    assertThat(wrong("trailing-bytes:3")).isEqualTo(new Wrong.TrailingBytes(3));
    assertThat(wrong("extra-descriptors:9")).isEqualTo(new Wrong.ExtraDescriptors(9));
    assertThat(wrong("no-descriptors")).isEqualTo(new Wrong.NoDescriptors());
    assertThat(wrong("hang-up-before-answer")).isEqualTo(new Wrong.HangUpBeforeAnswer());
    assertThat(wrong("hang-up-in-answer:0")).isEqualTo(new Wrong.HangUpInAnswer(0));
    assertThat(FaultWords.parse("3=hang-up-unread").wrong()).isEqualTo(new Wrong.HangUpUnread());
    assertThat(FaultWords.parse("3=hang-up-in-header").wrong())
        .isEqualTo(new Wrong.HangUpInHeader());
    assertThat(FaultWords.parse("3=hang-up-in-payload").wrong())
        .isEqualTo(new Wrong.HangUpInPayload());
  }

  @Test
  void messagesAreNamedOrCounted() {
    assertThat(FaultWords.parse("GET_VRING_BASE#3=refuse").when())
        .isEqualTo(new When.Occurrence(FrontEndRequest.GET_VRING_BASE, 3));
    assertThat(FaultWords.parse("get-vring-base=refuse").when())
        .isEqualTo(new When.Occurrence(FrontEndRequest.GET_VRING_BASE, 1));
    assertThat(FaultWords.parse("get-vring-base#every=base:0").when())
        .isEqualTo(new When.Every(FrontEndRequest.GET_VRING_BASE));
    assertThat(FaultWords.parse("12=refuse").when()).isEqualTo(new When.Message(12));
    assertThat(FaultWords.parse("connection#2=hang-up-before").when())
        .isEqualTo(new When.Connection(2));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "get-features | is no fault",
        "=refuse | is no fault",
        "get-features= | '' is none of",
        "get-features=:3 | '' is none of",
        "get-nothing=refuse | 'get-nothing' is no message",
        "12#1=refuse | '12' is no message",
        "0=refuse | messages are counted from 1, not 0",
        "get-features#0=refuse | messages are counted from 1, not 0",
        "get-features#-1=refuse | '-1' is no number",
        "get-features#=refuse | '' is no number",
        "99999999999=refuse | '99999999999' is no number",
        "get-features=delay | 'delay' needs a value",
        "get-features=delay:soon | 'soon' is no time",
        "get-features=refuse:it | 'refuse' takes no value",
        "get-features=reply-flags:0xz | 'z' is no number",
        "get-features=trailing-bytes:0 | 0",
        "get-features=hang-up-unread | by its number",
        "get-features=base:0 | GET_VRING_BASE only",
        "connection=refuse | cannot be done to a connection",
      })
  void nonsense(String text, String says) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> FaultWords.parse(text))
        .withMessageContaining(says);
  }

  @Test
  void timesHaveUnits() {
    assertThat(TimeSpan.parse("1ms").duration()).isEqualTo(Duration.ofMillis(1));
    assertThat(TimeSpan.parse("90s").duration()).isEqualTo(Duration.ofSeconds(90));
    assertThat(TimeSpan.parse("5M").duration()).isEqualTo(Duration.ofMinutes(5));
    assertThat(TimeSpan.parse("8760h").duration()).isEqualTo(Duration.ofDays(365));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "5", "s", "0s", "-1s", "1.5s", "1 s", "8761h", "9999999999s", "1d"})
  void whatIsNoTime(String text) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> TimeSpan.parse(text))
        .withMessageContaining("'" + text + "' is no time");
  }
}
