package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.FlightRecording;
import io.github.jvhost.FreshJvm;
import io.github.jvhost.cli.Jvhost;
import io.github.jvhost.embedding.Mirror;
import io.github.jvhost.embedding.OwnVm;
import io.github.jvhost.embedding.SmallVmm;
import io.github.jvhost.embedding.TinyDriver;
import io.github.jvhost.report.ReportPage;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.process.ChildProcess;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The page of a mediator that was recorded. */
@Timeout(240)
class RecordedMediateTest {
  private static final Pattern CAPTION = Pattern.compile("<figcaption>\\d+\\. ([^:<]*):");

  /** The cells of a row: where the message belongs, and its name. */
  private static final Pattern ROW =
      Pattern.compile(
          "<tr class=\"message[^>]*><td[^>]*>[^<]*</td><td>([^<]*)</td><td>back end of net0</td>"
              + "<td class=\"code\">([^<]*)</td>");

  @TempDir private Path directory;

  private static Deadline soon() {
    return Deadline.after(Duration.ofSeconds(60));
  }

  private static List<String> captions(String page) {
    return CAPTION.matcher(page).results().map(caption -> caption.group(1)).toList();
  }

  private static List<String> messages(String page, String when) {
    return ROW.matcher(page)
        .results()
        .filter(row -> row.group(1).equals(when))
        .map(row -> row.group(2))
        .toList();
  }

  @Test
  void itShowsWhatEachSwitchWasToldAndInWhichOrder() throws Exception {
    String page;
    try (FlightRecording recording = FlightRecording.start();
        MediatedGuest guest = new MediatedGuest(directory, MediatedGuest.ANSWERS)) {
      MockBackEnd a = guest.startSwitch("a");
      MockBackEnd b = guest.startSwitch("b");
      guest.boot();
      guest.echo(1);

      guest.move("b");

      guest.echo(2);
      page = ReportPage.ofRecording(recording.dump(directory.resolve("recording")));
      assertThat(captions(page)).startsWith("start").containsSubsequence("plan PRESET", "move");
      int early = captions(page).indexOf("plan PRESET") + 1;
      int move = captions(page).indexOf("move") + 1;
      List<String> started = messages(page, "1. start");
      List<String> preset = messages(page, early + ". plan PRESET");
      List<String> moved = messages(page, move + ". move");
      // The front end is in this process, too, and has the same name: it tells the mediator that
      // the
      // device runs while the switch is being told.
      List<String> atA = a.record().names();
      List<String> behind = atA.subList(atA.indexOf("SET_VRING_KICK"), atA.size());
      int running = atA.size() - behind.size() + behind.indexOf("SET_STATUS");
      assertThat(started)
          .contains("SET_MEM_TABLE", "SET_VRING_KICK")
          .containsSubsequence(atA.subList(atA.indexOf("SET_FEATURES"), running + 1));
      assertThat(preset).contains("SET_MEM_TABLE").doesNotContain("SET_VRING_KICK");
      assertThat(b.record().names()).containsSequence(preset);
      assertThat(moved)
          .startsWith("GET_VRING_BASE", "GET_VRING_BASE")
          .doesNotContain("SET_MEM_TABLE");
      assertThat(b.record().names())
          .containsSequence(moved.subList(moved.indexOf("SET_VRING_BASE"), moved.size()));
    }
    assertThat(page).contains(directory.resolve("a") + ", ").contains("plan STOPPED <b>");
  }

  /** A signal ends the process; the JVM writes its recording at the same time. */
  @Test
  void aMediatorThatIsEndedLeavesItsRecording() {
    Path file = directory.resolve("mediator.jfr");
    DescriptorLedger ledger = DescriptorLedger.tracing();
    List<String> command =
        FreshJvm.command(
            Jvhost.class,
            List.of(
                "mediate",
                "--nic=net0=" + directory.resolve("net0") + "," + directory.resolve("switch")));
    Map<String, String> recorded =
        Map.of("JDK_JAVA_OPTIONS", "-XX:StartFlightRecording:filename=" + file);
    try (MockBackEnd theSwitch = Mirror.start(directory.resolve("switch"), ledger);
        ChildProcess mediator = ChildProcess.leashed("mediator", command, recorded)) {
      mediator.transcript().awaitText("mediating net0", 0, soon(), "start of the mediator");
      try (OwnVm vm = new OwnVm();
          SmallVmm vmm = new SmallVmm(vm, directory.resolve("net0"))) {
        TinyDriver driver = new TinyDriver(vm, vmm);
        driver.boot();
        assertThat(driver.echo(1)).endsWith(1, 1);
      }

      ProcessHandle.of(mediator.pid()).orElseThrow().destroy(); // SIGTERM

      assertThat(mediator.awaitExit(soon())).isTrue();
      assertThat(mediator.exitValue()).as(mediator.transcript().text()).isZero();
      String page = ReportPage.ofRecording(file);
      assertThat(captions(page)).startsWith("start");
      assertThat(theSwitch.record().names()).containsSequence(messages(page, "1. start"));
      assertThat(page).as("what was rehearsed is not recorded").doesNotContain("rehearsal");
    }
    assertThat(ledger.describeOpen()).isEmpty();
  }
}
