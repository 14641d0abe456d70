package io.github.jvhost.realbackend;

import static io.github.jvhost.protocol.FrontEndRequest.SET_FEATURES;
import static io.github.jvhost.protocol.FrontEndRequest.SET_MEM_TABLE;
import static io.github.jvhost.protocol.FrontEndRequest.SET_VRING_ADDR;
import static io.github.jvhost.protocol.FrontEndRequest.SET_VRING_ENABLE;
import static io.github.jvhost.protocol.FrontEndRequest.SET_VRING_ERR;
import static io.github.jvhost.protocol.FrontEndRequest.SET_VRING_NUM;

import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.vhost.plan.RingAddresses;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * How a prediction of a NIC with one queue pair can be wrong, and what a switch has to be told for
 * that beside what nobody could know.
 *
 * @param what is wrong
 * @param forgery makes a right prediction wrong
 * @param anotherFile whether the guest's machine has another file of the size of its memory
 * @param told besides
 */
record WrongPrediction(
    String what,
    UnaryOperator<Hint.Content> forgery,
    boolean anotherFile,
    List<FrontEndRequest> told) {
  private static final int PAGE = 4096;

  static final WrongPrediction NONE =
      new WrongPrediction("nothing", UnaryOperator.identity(), false, List.of());

  static List<WrongPrediction> all() {
    return List.of(
        of(
            "ring addresses",
            c -> withRings(c, r -> ring(r, r.size(), moved(r.addresses()))),
            SET_VRING_ADDR,
            SET_VRING_ADDR),
        of(
            "ring size",
            c -> withRings(c, r -> ring(r, r.size() / 2, r.addresses())),
            SET_VRING_NUM,
            SET_VRING_NUM),
        of(
            "a feature",
            c ->
                new Hint.Content(
                    c.features() ^ NetFeature.MRG_RXBUF.mask(), c.mtu(), c.regions(), c.rings()),
            SET_FEATURES),
        of(
            "size of memory",
            c -> new Hint.Content(c.features(), c.mtu(), smaller(c.regions()), c.rings()),
            SET_MEM_TABLE,
            SET_VRING_ADDR,
            SET_VRING_ADDR),
        new WrongPrediction(
            "another file of the same size",
            UnaryOperator.identity(),
            true,
            List.of(SET_MEM_TABLE, SET_VRING_ADDR, SET_VRING_ADDR)),
        of(
            "fewer rings",
            c -> new Hint.Content(c.features(), c.mtu(), c.regions(), c.rings().subList(0, 1)),
            SET_VRING_NUM,
            SET_VRING_ADDR,
            SET_VRING_ERR,
            SET_VRING_ENABLE));
  }

  private static WrongPrediction of(
      String what, UnaryOperator<Hint.Content> forgery, FrontEndRequest... told) {
    return new WrongPrediction(what, forgery, false, List.of(told));
  }

  private static Hint.Content withRings(Hint.Content content, UnaryOperator<Hint.Ring> change) {
    return new Hint.Content(
        content.features(),
        content.mtu(),
        content.regions(),
        content.rings().stream().map(change).toList());
  }

  private static Hint.Ring ring(Hint.Ring ring, int size, RingAddresses addresses) {
    return new Hint.Ring(ring.number(), size, addresses, ring.enabled());
  }

  private static RingAddresses moved(RingAddresses at) {
    return new RingAddresses(at.descriptor() + PAGE, at.used() + PAGE, at.available() + PAGE);
  }

  /** The first region, which is below 640 KiB and has no ring, ends a page earlier. */
  private static List<Hint.Region> smaller(List<Hint.Region> regions) {
    List<Hint.Region> all = new ArrayList<>(regions);
    Hint.Region r = all.getFirst();
    all.set(
        0,
        new Hint.Region(r.guestAddress(), r.size() - PAGE, r.fileOffset(), r.file(), r.fileSize()));
    return all;
  }
}
