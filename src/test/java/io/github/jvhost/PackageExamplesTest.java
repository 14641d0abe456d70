package io.github.jvhost;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.jvhost.memory.GuestMemory;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.junit.MockBackEndExtension;
import io.github.jvhost.vhost.RingEventfds;
import io.github.jvhost.vhost.VhostDeviceOptions;
import io.github.jvhost.vhost.VhostNet;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProfile;
import io.github.jvhost.virtio.NetFeature;
import io.github.jvhost.virtio.VirtioNet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The examples of the packages' pages do what they say, and each exported package has one. */
class PackageExamplesTest {
  private static final Path MODULE = Path.of("src/main/java/module-info.java");
  private static final Path EXAMPLES =
      Path.of("src/test/java/io/github/jvhost/PackageExamples.java");

  @RegisterExtension
  static final MockBackEndExtension backEnds = MockBackEndExtension.of(Personality.GENERIC);

  @Test
  void aBackEndThatIsAsked(MockBackEnd backEnd) {
    assertThat(PackageExamples.probe(backEnd.socket())).isTrue();
  }

  @Test
  void systemAndWire(DescriptorLedger ledger) {
    assertThat(PackageExamples.sys(ledger)).isEqualTo(1);
    assertThat(PackageExamples.protocol()).isEqualTo(new VringState(3, 4711));
    assertThat(PackageExamples.trace()).isEqualTo("vq=3 num=4711");
  }

  @Test
  void aConnection(MockBackEnd backEnd, @TempDir Path directory, DescriptorLedger ledger) {
    assertThat(PackageExamples.channel(backEnd.socket(), ledger))
        .isEqualTo(backEnd.offer().features());
    assertThat(PackageExamples.testkit(directory.resolve("t"), ledger)).isEmpty();
  }

  @Test
  void memoryAndItsWay(DescriptorLedger ledger) {
    assertThat(PackageExamples.memory(ledger)).isEqualTo(1);
    try (GuestMemory here = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build();
        GuestMemory there = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build()) {
      here.putLong(0x5008, 0x1122334455667788L);
      PackageExamples.ram(here, there);

      assertThat(there.getLong(0x5008)).isEqualTo(0x1122334455667788L);
    }
  }

  @Test
  void aPlanWithoutABackEnd(DescriptorLedger ledger) {
    var can =
        new BackEndCapabilities(
            NetFeature.VERSION_1.mask(),
            ProtocolFeature.MTU.mask(),
            1,
            Dialect.UPSTREAM,
            BackEndProfile.GENERIC);
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build()) {
      assertThat(PackageExamples.plan(memory.table(), can))
          .startsWith("mtu not sent -> 1500 (not sent yet)")
          .contains("ring 1 size not sent -> 256");
    }
  }

  @Test
  void aDevice() {
    VirtioNet nic = PackageExamples.virtio();

    assertThat(nic.linkUp()).isFalse();
    assertThat(NetFeature.VERSION_1.in(nic.driverFeatures())).isTrue();
  }

  @Test
  void aDeviceAtABackEnd(MockBackEnd backEnd, DescriptorLedger ledger) {
    VirtioNet nic = VirtioNet.builder("net0").build();
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build()) {
      PackageExamples.vhost(nic, memory, backEnd.socket(), ledger);

      assertThat(backEnd.record().names()).startsWith("GET_FEATURES");
    }
  }

  @Test
  void aFailureSaysWhatMayHelp(MockBackEnd backEnd, DescriptorLedger ledger) {
    VirtioNet nic = VirtioNet.builder("net0").build();
    List<RingEventfds> rings = RingEventfds.create(ledger, "net0", 2);
    try (GuestMemory memory = GuestMemory.builder(ledger).region("ram", 0, 1 << 20).build();
        VhostNet net =
            VhostNet.connect(
                nic,
                memory,
                rings,
                VhostDeviceOptions.of(
                    "net0", backEnd.socket(), Dialect.UPSTREAM, BackEndProfile.GENERIC, ledger))) {
      backEnd.crash();

      assertThat(PackageExamples.root(net)).isEqualTo("net.reconnect() may help");
    }
    rings.forEach(RingEventfds::close);
  }

  @Test
  void aMediator(MockBackEnd backEnd, @TempDir Path directory, DescriptorLedger ledger) {
    assertThat(PackageExamples.mediate(directory.resolve("m"), backEnd.socket(), ledger))
        .isEqualTo("NO_FRONT_END");
  }

  @Test
  void aNetworkAndAChild() {
    assertThat(PackageExamples.net()).isZero();
    assertThat(PackageExamples.process()).contains("hello");
  }

  @Test
  void everyExportedPackageShowsOne() throws IOException {
    String examples = Files.readString(EXAMPLES);
    var without = new ArrayList<String>();
    try (Stream<String> lines = Files.lines(MODULE)) {
      // Those that are exported to the testkit alone go on in another line.
      for (String line :
          lines.filter(l -> l.startsWith("  exports ") && l.endsWith(";")).toList()) {
        String name = line.substring("  exports ".length(), line.indexOf(';'));
        String region = name.equals("io.github.jvhost") ? "root" : name.replaceAll(".*\\.", "");
        Path page = MODULE.resolveSibling(name.replace('.', '/')).resolve("package-info.java");
        boolean shown =
            Files.readString(page).replaceAll("\\s+\\* ", " ").contains("region=\"" + region + "\"")
                && examples.contains("// @start region=\"" + region + "\"");
        if (!shown) {
          without.add(name);
        }
      }
    }

    assertThat(without).isEmpty();
  }
}
