package io.github.jvhost.cli;

import io.github.jvhost.testkit.probe.EarlyPart;
import io.github.jvhost.testkit.probe.PresetupVerdict;
import io.github.jvhost.testkit.trace.FeatureNames;
import io.github.jvhost.vhost.kernel.KernelFeature;
import io.github.jvhost.vhost.kernel.KernelOffer;
import io.github.jvhost.vhost.kernel.VdpaOffer;
import io.github.jvhost.vhost.kernel.VhostNetOffer;
import io.github.jvhost.virtio.MacAddress;
import java.nio.file.Path;
import java.util.List;

/** What a device file of the kernel offers, as output. */
final class KernelProbeSummary {
  private KernelProbeSummary() {}

  static Shown of(Path node, KernelOffer offer) {
    var shown = new Shown().both("device", node.toString(), "%s%n");
    switch (offer) {
      case VhostNetOffer net -> vhostNet(shown, net);
      case VdpaOffer vdpa -> vdpa(shown, vdpa);
    }
    return shown.text("nothing was started; the device was opened and closed%n");
  }

  private static Shown features(Shown shown, KernelOffer offer, List<String> names) {
    return shown
        .text("virtio features    ")
        .both("features", ProbeSummary.features(offer.features(), names));
  }

  private static void vhostNet(Shown shown, VhostNetOffer net) {
    shown.json("kind", "vhost-net").text("kind               vhost-net of the kernel%n");
    // Bit 27 is vhost's own here (linux/vhost_types.h).
    List<String> names =
        FeatureNames.of(net.features(), true).stream()
            .map(name -> name.equals("ANY_LAYOUT") ? "VIRTIO_NET_HDR" : name)
            .toList();
    features(shown, net, names)
        .text("  of these VIRTIO_NET_HDR and ACCESS_PLATFORM are not used%n")
        .text("  and the offloads of the tap that it is given%n")
        .text("queues             a pair for each queue of the tap%n")
        .both(
            "memorySlots", net.memoryRegions(), "memory             a table of up to %d regions%n")
        .json("canLog", true)
        .text("migration          it can log the pages that it writes%n");
    presetup(shown, "of each ring base and start");
  }

  private static void vdpa(Shown shown, VdpaOffer vdpa) {
    String whyNot = vdpa.whyNot();
    shown.json("kind", "vhost-vdpa").text("kind               a vDPA device for networks%n");
    features(shown, vdpa, FeatureNames.of(vdpa.features(), true))
        .text("backend features   ")
        .both(
            "backendFeatures",
            ProbeSummary.features(
                vdpa.backEndFeatures(), KernelFeature.names(vdpa.backEndFeatures())))
        .json("rings", vdpa.rings())
        .both("maxRingSize", vdpa.maxRingSize(), "rings              up to %d entries each, ")
        .text(
            vdpa.rings() == 0 ? "this kernel does not say how many%n" : "%d of them%n",
            vdpa.rings())
        .both("queuePairs", vdpa.queuePairs(), "queue pairs        up to %d%n")
        .json("mac", vdpa.mac().map(MacAddress::toString).orElse(null))
        .json("mtu", vdpa.maxMtu())
        .text(
            "made with          %s, MTU %d%n",
            vdpa.mac()
                .map(mac -> "the address " + mac + (vdpa.takesAddress() ? "" : " and no other"))
                .orElse("no address"),
            vdpa.maxMtu())
        .json("groups", vdpa.groups())
        .both("addressSpaces", vdpa.addressSpaces(), "address spaces     %d")
        .json("controlAlone", vdpa.takesCommands())
        .text(
            vdpa.takesCommands()
                ? "; its control queue can have one of its own%n"
                : "; it has no control queue with one of its own%n")
        .json("canLog", false)
        .text("migration          it cannot log pages: a guest can arrive while it runs, and leave")
        .text(" only while it stands still%n")
        .json("cannotBeUsed", whyNot.isEmpty() ? null : whyNot);
    if (!whyNot.isEmpty()) {
      shown
          .text("of no use          %s%n", whyNot)
          .json("early", List.of())
          .json("startsEarly", false);
      return;
    }
    presetup(
        shown,
        "of each ring base and enable; DRIVER_OK"
            + (vdpa.takesCommands() ? "; what the guest has set by commands" : ""));
    shown
        .json("startsEarly", true)
        .text("presetup           explicit, where the device's address asks for it%n")
        .text("  early: the same but addresses; it is started on empty rings")
        .text(
            vdpa.takesCommands()
                ? ", given the guest's commands and suspended%n"
                : " and suspended%n")
        .text("  in the stop window: of each ring base, address and enable; RESUME%n");
  }

  private static void presetup(Shown shown, String late) {
    List<EarlyPart> early = PresetupVerdict.earlyOfKernel();
    shown
        .text("presetup           implicit%n  early: %s%n", ProbeSummary.early(early))
        .json("early", early.stream().map(Words::label).toList())
        .text("  in the stop window: %s%n", late);
  }
}
