package io.github.jvhost.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import java.io.StringReader;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The page as text. */
class ReportPageTest {

  private static String page(String json) {
    return ReportPage.of("run.json", new StringReader(json));
  }

  @Test
  void thePageNeedsNothingElse() {
    String page = page(RunText.of("net0"));

    assertThat(page)
        .doesNotContain("src=", "href=", "http://", "https://", "url(", "@import", "<script")
        .contains("default-src &#39;none&#39;");
  }

  @Test
  void whatAFileSaysIsTextInThePageAndNothingElse() {
    String page = page(RunText.of(RunText.ODD));

    assertThat(page)
        .doesNotContain("<script", "</text><script", "\u202e", "\u0007", "\ud800")
        .contains("&lt;/text&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;");
    // The same elements as with a name that is one: nothing was opened and nothing closed.
    assertThat(tags(page)).isEqualTo(tags(page(RunText.of("net0"))));
  }

  private static java.util.List<String> tags(String page) {
    return Pattern.compile("</?[a-z0-9]+").matcher(page).results().map(m -> m.group()).toList();
  }

  @Test
  void everyElementThatWasOpenedIsClosed() {
    var open = new java.util.ArrayDeque<String>();
    var tag = Pattern.compile("<(/?)([a-z0-9]+)[^>]*?(/?)>").matcher(page(RunText.of("net0")));
    while (tag.find()) {
      if (tag.group(1).isEmpty() && tag.group(3).isEmpty()) {
        open.push(tag.group(2));
      } else if (!tag.group(1).isEmpty()) {
        assertThat(open.pop()).isEqualTo(tag.group(2));
      }
    }
    assertThat(open).isEmpty();
  }

  @Test
  void whatIsModelledIsCalledSo() {
    String page = page(RunText.of("net0"));

    assertThat(page)
        .contains("What hardware takes to be configured in it is modelled.")
        .contains("configuring in it, all devices together (modelled)")
        .contains("the back end configures (modelled)");
  }

  @Test
  void aGuestThatStayedHasNoDowntime() {
    String json =
        RunText.of("net0")
            .replaceAll("\"moments\": \\[[^]]*]", "\"moments\": []")
            .replace("\"ranOn\": \"destination\"", "\"ranOn\": \"source\"");

    assertThat(page(json))
        .contains("no downtime: the guest runs on the source")
        .contains("All messages", "ms since the migration began");
  }

  @Test
  void aBackEndThatKeepsNoRecordHasMomentsOnly() {
    int lanes = RunText.of("net0").indexOf("\"lanes\": [");
    int end = RunText.of("net0").indexOf("\"fallback\"");
    String text = RunText.of("net0");
    String json = text.substring(0, lanes) + "\"lanes\": []}, " + text.substring(end);

    assertThat(page(json))
        .contains("keeps no record", "While it stands still")
        .doesNotContain("Every message", "Before the guest is paused");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "`` | run.json: the JSON text is empty or cut off",
        "hello | run.json is no JSON at line 1, column 1: Unrecognized token 'hello'",
        "{ | run.json is no JSON at line 1, column 2: Unexpected end-of-input",
        "{} | run.json is not what 'jvhost demo --json' prints: runs is missing",
        "[] | what stands there is not an object",
        "{} {} | something follows",
        "{\"runs\": 7} | runs is not an array",
        "{\"runs\": []} | runs is empty",
        "{\"runs\": [7]} | runs[0] is not an object",
        "{\"runs\": [{\"presetup\": 7}]} | runs[0].presetup is not a text",
        "{\"runs\": [{\"presetup\": \"off\"}]} | runs[0].devices is missing",
        "{\"runs\": [{\"presetup\": \"off\", \"devices\": -1}]} | runs[0].devices is not a number"
            + " of 0",
        "{\"runs\": [{\"presetup\": \"off\", \"devices\": 1e3}]} | runs[0].devices is not a whole",
        "{\"runs\": [{\"devices\": 99999999999999999999}]} | run.json is no JSON at line 1",
      })
  void whatIsNoRunIsRefusedInOneLine(String json, String says) {
    assertThatThrownBy(() -> page(json))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining(says)
        .message()
        .startsWith("run.json")
        .hasLineCount(1);
  }

  @Test
  void timesThatNoMigrationHasAreRefused() {
    String text = RunText.of("net0");

    assertRefused(text.replace("\"nanos\": 5200000", "\"nanos\": 4000000"), "not in order");
    assertRefused(text.replace("7000000}", Long.MAX_VALUE + "}"), "longer than an hour");
    assertRefused(text.replace("\"micros\": 400", "\"micros\": " + Long.MAX_VALUE), "an hour");
    assertRefused(text.replace("\"residentShare\": 1", "\"residentShare\": 1.5"), "from 0 to 1");
    assertRefused("[".repeat(10_000), "no JSON");
  }

  private static void assertRefused(String json, String says) {
    assertThatThrownBy(() -> page(json))
        .isInstanceOf(VhostException.class)
        .hasMessageContaining(says);
  }
}
