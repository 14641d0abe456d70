package io.github.jvhost.mediate;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.embedding.OwnVm;
import io.github.jvhost.embedding.SmallVmm;
import io.github.jvhost.embedding.TinyDriver;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.net.ReflectingPort;
import io.github.jvhost.vhost.BackEndAddress;
import io.github.jvhost.vhost.plan.BackEndProfile;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A small guest at a mediator's only NIC, and switches that send every frame back.
 *
 * <pre>
 *   TinyDriver - SmallVmm ==net0== Mediator ==a== MockBackEnd, and others
 * </pre>
 */
final class MediatedGuest implements AutoCloseable {
  static final Duration ANSWERS = Duration.ofSeconds(10);

  final DescriptorLedger ledger = DescriptorLedger.tracing();
  final Path directory;
  final Mediator mediator;
  private final DescriptorLedger ofTheSwitches = DescriptorLedger.tracing();
  private final List<MockBackEnd> switches = new ArrayList<>();
  private @Nullable OwnVm vm;
  private @Nullable SmallVmm vmm;
  private @Nullable TinyDriver driver;

  /**
   * A mediator without any switch.
   *
   * @param answers how long a switch may take for an answer
   */
  MediatedGuest(Path directory, Duration answers) {
    this.directory = directory;
    NicOptions usual =
        NicOptions.of(
            "net0",
            new FrontEndAddress.Listen(directory.resolve("net0")),
            at("a"),
            BackEndProfile.GENERIC);
    this.mediator =
        Mediator.start(
            MediatorOptions.of(
                List.of(
                    new NicOptions(
                        usual.name(),
                        usual.frontEnd(),
                        usual.theSwitch(),
                        usual.dialect(),
                        usual.profile(),
                        usual.ram(),
                        answers,
                        answers.multipliedBy(2)))),
            ledger);
  }

  static Deadline soon() {
    return Deadline.after(Duration.ofSeconds(20));
  }

  static BackEndOffer usual() {
    // A RARP would be reflected too, and take the buffer of what is waited for.
    return BackEndOffer.of(Personality.GENERIC).without(ProtocolFeature.RARP);
  }

  BackEndAddress at(String name) {
    return new BackEndAddress.Socket(directory.resolve(name));
  }

  MockBackEnd startSwitch(String name) {
    return startSwitch(name, usual());
  }

  MockBackEnd startSwitch(String name, BackEndOffer offer) {
    MockBackEnd started =
        MockBackEnd.builder(directory.resolve(name), ofTheSwitches)
            .offer(offer)
            .port(new ReflectingPort(name, 64))
            .start();
    switches.add(started);
    return started;
  }

  /** The guest boots; its driver starts the device. */
  void boot() {
    OwnVm machine = new OwnVm();
    vm = machine;
    SmallVmm monitor = new SmallVmm(machine, directory.resolve("net0"));
    vmm = monitor;
    TinyDriver booting = new TinyDriver(machine, monitor);
    driver = booting;
    booting.boot();
  }

  TinyDriver driver() {
    return Objects.requireNonNull(driver);
  }

  SmallVmm vmm() {
    return Objects.requireNonNull(vmm);
  }

  OwnVm vm() {
    return Objects.requireNonNull(vm);
  }

  /** A frame goes to the switch and comes back. */
  void echo(int mark) {
    assertThat(driver().echo(mark)).endsWith(mark, mark);
  }

  MoveResult move(String to) {
    return mediator.move("net0", at(to), ANSWERS);
  }

  NicStatus status() {
    return mediator.status().getFirst();
  }

  /**
   * Asks again and again: each question is answered by the NIC's thread when it has nothing else.
   */
  NicStatus await(Predicate<NicStatus> condition) {
    Deadline deadline = soon();
    NicStatus now = status();
    while (!condition.test(now)) {
      assertThat(deadline.expired()).as(now.toString()).isFalse();
      now = status();
    }
    return now;
  }

  void standby(String where) {
    mediator.standby("net0", at(where));
  }

  void awaitStandby() {
    await(s -> s.standby() != null && s.standby().ready());
  }

  void shutDown() {
    if (vmm != null) {
      vmm.close();
      vmm = null;
    }
    if (vm != null) {
      vm.close();
      vm = null;
    }
  }

  @Override
  public void close() {
    shutDown();
    mediator.close();
    for (MockBackEnd one : switches) {
      one.close();
      assertThat(one.record().violations()).isEmpty();
    }
    // An attempt to connect that was under way closes what it has found by itself.
    Wait.until(() -> ledger.describeOpen().isEmpty());
    assertThat(ofTheSwitches.describeOpen()).isEmpty();
  }
}
