package io.github.jvhost.vhost;

import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.GuestAddressException;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.MissHandler;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.Translations;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which translations the back end of one device is to have: those of its rings, and those that
 * somebody has asked for. The device's IOMMU says where they lead.
 *
 * <pre>
 *   asked for by       the back end (a miss), the embedder (iotlbUpdate), the early record
 *   not mapped yet     remembered; told when the guest maps it, because a back end asks only once
 *   rings              their areas, looked up anew for each plan
 * </pre>
 *
 * <p>A translation is told as the IOMMU has it, but for two things. Whatever may be written may
 * also be read, and a ring's areas may be read and written, because DPDK serves no ring and fills
 * no buffer otherwise. And it ends where its memory region ends.
 *
 * <p>Thread-safe: a back end is answered by whatever thread waits for it.
 */
final class DeviceTranslations implements MissHandler {
  private static final Logger log = LoggerFactory.getLogger(DeviceTranslations.class);

  /**
   * The most translations besides those of the rings. DPDK keeps them in a list that it walks for
   * each access: 1,000 of them were seen to cost 80 us for 32 frames.
   */
  static final int MOST = 1024;

  /** The most unanswered misses that are remembered. DPDK has 2,048 of them a ring at most. */
  private static final int MOST_UNANSWERED = 1 << 16;

  private static final Comparator<Long> UNSIGNED = Long::compareUnsigned;

  private final String name;
  private final DeviceMemory memory;

  /** What was asked for, by I/O virtual address; none overlap. */
  private final NavigableMap<Long, Translation> asked = new TreeMap<>(UNSIGNED);

  /** The addresses of these, the oldest first. */
  private final LinkedHashSet<Long> ages = new LinkedHashSet<>();

  /** What the last plan wanted, and what was told since. */
  private NavigableMap<Long, Translation> told = new TreeMap<>(UNSIGNED);

  /** Misses that nothing translated, with what the back end wants to do there. */
  private final NavigableMap<Long, Access> unanswered = new TreeMap<>(UNSIGNED);

  /** What was sent between plans, for the shadow. */
  private final List<Step> sent = new ArrayList<>();

  private boolean warned;

  /** How often a back end has asked. */
  private long misses;

  /**
   * An area of a ring.
   *
   * @param first I/O virtual address of its first byte
   * @param length in bytes
   */
  record Area(long first, long length) {
    long last() {
      return first + length - 1;
    }
  }

  DeviceTranslations(String name, DeviceMemory memory) {
    this.name = name;
    this.memory = memory;
  }

  DeviceMemory memory() {
    return memory;
  }

  // ---- what a plan wants ----

  /**
   * Returns what the back end is to have now, in the order of the addresses.
   *
   * @param rings the areas of the rings that are to run
   * @param complete whether the IOMMU has its final state; otherwise what the early record says
   *     counts
   */
  synchronized List<Translation> desired(List<Area> rings, boolean complete) {
    if (complete) {
      checkAsked();
    }
    NavigableMap<Long, Translation> all = new TreeMap<>(UNSIGNED);
    asked.values().forEach(t -> all.put(t.iova(), t));
    for (Area area : rings) {
      coverRing(all, area, complete);
    }
    told = all;
    warnOfNeighbours(all);
    return List.copyOf(all.values());
  }

  /** Replaces what the IOMMU says otherwise by now; what it does not translate any more is gone. */
  private void checkAsked() {
    for (Translation one : List.copyOf(asked.values())) {
      List<Translation> now = lookUp(one.iova(), one.last());
      if (!leadsTo(now, one)) {
        forget(one);
        now.forEach(this::ask);
      }
    }
  }

  /** Those that are one piece together, in the order of their addresses; at most {@link #MOST}. */
  static List<Translation> merged(List<Translation> pieces) {
    List<Translation> merged = new ArrayList<>();
    for (Translation piece : pieces) {
      Translation last = merged.isEmpty() ? null : merged.getLast();
      if (last != null && last.continuesIn(piece) && last.access() == piece.access()) {
        merged.set(
            merged.size() - 1,
            new Translation(
                last.iova(), last.guestAddress(), last.length() + piece.length(), last.access()));
      } else if (merged.size() < MOST) {
        merged.add(piece);
      }
    }
    return merged;
  }

  /** Whether pieces, one behind the other, are the same as one translation. */
  private static boolean leadsTo(List<Translation> pieces, Translation one) {
    long next = one.iova();
    for (Translation piece : pieces) {
      if (piece.iova() != next
          || piece.guestAddress() - one.guestAddress() != next - one.iova()
          || piece.access().permits(Access.WRITE) != one.access().permits(Access.WRITE)) {
        return false;
      }
      next = piece.last() + 1;
    }
    return next == one.last() + 1;
  }

  /**
   * Adds what an area of a ring lacks. Where something is there that may only be read, it is
   * replaced.
   */
  private void coverRing(NavigableMap<Long, Translation> all, Area area, boolean complete) {
    for (Translation there : touching(all, area.first(), area.last())) {
      all.put(there.iova(), writable(there));
    }
    if (!complete) {
      return; // the IOMMU does not know its guest yet
    }
    for (Translation piece : lookUp(area.first(), area.last())) {
      gaps(all, piece).forEach(gap -> all.put(gap.iova(), writable(gap)));
    }
  }

  private static Translation writable(Translation one) {
    return new Translation(one.iova(), one.guestAddress(), one.length(), Access.READ_WRITE);
  }

  /**
   * DPDK takes adjoining addresses for adjoining memory. Nothing that is sent can change this, so
   * it is said.
   */
  private void warnOfNeighbours(NavigableMap<Long, Translation> all) {
    Translation before = null;
    for (Translation one : all.values()) {
      if (before != null && areApart(before, one) && !warned) {
        warned = true;
        log.warn(
            "{}: the I/O virtual addresses up to 0x{} and from there on lead to memory that is"
                + " apart. A DPDK back end takes them for one piece: a buffer or ring across this"
                + " address reads or writes memory that the guest has not mapped. See"
                + " docs/iommu.md",
            name,
            Long.toHexString(one.iova()));
      }
      before = one;
    }
  }

  private static boolean areApart(Translation before, Translation one) {
    return before.adjoins(one) && !before.continuesIn(one);
  }

  /**
   * What the back end was told.
   *
   * @param held after the last plan
   */
  synchronized IotlbStatus status(Shadow held, BackEndCapabilities capabilities) {
    Shadow now = held.after(sent, capabilities, false);
    Translations told = now.get(Fact.TRANSLATIONS).orNull();
    List<Translation> all = told == null ? List.of() : told.all();
    int widened = 0;
    int apart = 0;
    for (int i = 0; i < all.size(); i++) {
      Translation one = all.get(i);
      widened += piece(one.iova(), one.last(), one.access()) == null ? 1 : 0;
      apart += i > 0 && areApart(all.get(i - 1), one) ? 1 : 0;
    }
    return new IotlbStatus(all.size(), widened, apart, misses);
  }

  // ---- what is asked for ----

  @Override
  public synchronized List<Step> missed(long iova, Access access) {
    misses++;
    Translation found = entryAt(told, iova);
    List<Step> steps = new ArrayList<>();
    if (found != null && found.access().permits(access)) {
      steps.add(new Step.Translate(found, memory.guest().table())); // it has dropped it
    } else if (permits(iova, access)) {
      if (found != null) {
        steps.add(new Step.Invalidate(found.iova(), found.last()));
        forget(found);
      }
      largestAt(iova, access).ifPresent(t -> tell(t, steps));
    } else {
      remember(iova, access);
    }
    sent.addAll(steps);
    return steps;
  }

  private void tell(Translation one, List<Step> steps) {
    if (asked.size() == MOST) {
      Translation oldest = oldest();
      forget(oldest);
      steps.add(new Step.Invalidate(oldest.iova(), oldest.last()));
    }
    Translation wide = ask(one);
    told.put(wide.iova(), wide);
    steps.add(new Step.Translate(wide, memory.guest().table()));
  }

  private void remember(long iova, Access access) {
    if (unanswered.size() < MOST_UNANSWERED) {
      unanswered.merge(iova, access, (a, b) -> Access.of(a.bits() | b.bits()));
    }
  }

  /**
   * The guest has mapped something.
   *
   * @param push whether the back end is told all of it; otherwise it is told what it has asked for
   * @return whether the back end has to be told something; a plan does that
   */
  synchronized boolean mapped(long first, long last, boolean push) {
    boolean any = false;
    var misses = unanswered.subMap(first, true, last, true).entrySet().iterator();
    while (misses.hasNext()) {
      Map.Entry<Long, Access> miss = misses.next();
      if (permits(miss.getKey(), miss.getValue())) {
        largestAt(miss.getKey(), miss.getValue()).ifPresent(this::ask);
        misses.remove();
        any = true;
      }
    }
    if (push) {
      for (Translation piece : lookUp(first, last)) {
        gaps(asked, piece).forEach(this::ask);
        any = true;
      }
    }
    return any;
  }

  /** The source says what its back end was told. The IOMMU has the last word, once it knows. */
  synchronized void expect(List<Translation> early) {
    asked.clear();
    ages.clear();
    MemoryTable table = memory.guest().table();
    for (Translation one : early) {
      if (table.contains(one.guestAddress(), one.length())
          && touching(asked, one.iova(), one.last()).isEmpty()) {
        ask(one);
      }
    }
  }

  /** The driver has reset the device: nothing is asked for now. */
  synchronized void forgetAll() {
    asked.clear();
    ages.clear();
    anotherBackEnd();
  }

  /** Another back end holds nothing, and will ask again. What was asked for is told to it. */
  synchronized void anotherBackEnd() {
    told.clear();
    unanswered.clear();
    sent.clear();
  }

  /** Takes what was sent since the last call. */
  synchronized List<Step> takeSent() {
    List<Step> taken = List.copyOf(sent);
    sent.clear();
    return taken;
  }

  private Translation ask(Translation one) {
    Translation wide = one.access().permits(Access.WRITE) ? writable(one) : one;
    asked.put(wide.iova(), wide);
    ages.addLast(wide.iova());
    if (asked.size() > MOST) {
      forget(oldest()); // the next plan withdraws it
    }
    return wide;
  }

  private Translation oldest() {
    return Objects.requireNonNull(asked.get(ages.getFirst()));
  }

  private void forget(Translation one) {
    asked.remove(one.iova());
    ages.remove(one.iova());
    told.remove(one.iova());
  }

  // ---- looking up ----

  /** Whether the IOMMU translates an address for such an access, to guest memory. */
  private boolean permits(long iova, Access access) {
    return piece(iova, iova, granted(access)) != null;
  }

  /**
   * Returns what a guest has to grant. DPDK asks to read and write what it receives into, and Linux
   * lets a device only write there.
   */
  private static Access granted(Access access) {
    return access == Access.READ_WRITE ? Access.WRITE : access;
  }

  /**
   * The pieces of a range that the IOMMU translates now, and that lie in guest memory. Somebody
   * else has chosen the range, so not more of it is looked at than can be told.
   */
  private List<Translation> lookUp(long first, long last) {
    List<Translation> found = new ArrayList<>(1);
    long at = first;
    for (int looks = 0; looks < MOST; looks++) {
      Translation piece = piece(at, last, Access.WRITE);
      if (piece == null) {
        piece = piece(at, last, Access.READ);
      }
      if (piece != null) {
        found.add(piece);
      }
      long end = piece == null ? at | (PAGE - 1) : piece.last();
      if (Long.compareUnsigned(end, last) >= 0) {
        break;
      }
      at = end + 1;
    }
    return found;
  }

  /** The smallest piece of memory that an IOMMU maps. */
  private static final long PAGE = 4096;

  private @Nullable Translation piece(long at, long last, Access access) {
    return memory
        .iommu()
        .translate(at, access)
        .filter(t -> t.contains(at))
        .flatMap(t -> t.within(at, last))
        .map(this::withinRegion)
        .orElse(null);
  }

  /** The largest piece around an address that overlaps nothing that was told. */
  private Optional<Translation> largestAt(long iova, Access access) {
    return memory
        .iommu()
        .translate(iova, granted(access))
        .filter(t -> t.contains(iova))
        .map(t -> around(t, iova))
        .map(this::withinRegion);
  }

  private Translation around(Translation whole, long iova) {
    Map.Entry<Long, Translation> before = told.lowerEntry(iova);
    Map.Entry<Long, Translation> behind = told.higherEntry(iova);
    long first = before == null ? 0 : before.getValue().last() + 1;
    long last = behind == null ? -1 : behind.getKey() - 1;
    return whole.within(first, last).orElse(whole);
  }

  /** A translation up to the end of its memory region; null if it begins outside of memory. */
  private @Nullable Translation withinRegion(Translation one) {
    try {
      long room = memory.guest().table().regionOf(one.guestAddress(), 1).end() - one.guestAddress();
      return room >= one.length()
          ? one
          : new Translation(one.iova(), one.guestAddress(), room, one.access());
    } catch (GuestAddressException e) {
      return null;
    }
  }

  private static @Nullable Translation entryAt(NavigableMap<Long, Translation> entries, long iova) {
    Map.Entry<Long, Translation> entry = entries.floorEntry(iova);
    return entry != null && entry.getValue().contains(iova) ? entry.getValue() : null;
  }

  private static List<Translation> touching(
      NavigableMap<Long, Translation> entries, long first, long last) {
    Long from = entries.floorKey(first);
    List<Translation> found = new ArrayList<>();
    for (Translation one : entries.subMap(from == null ? first : from, true, last, true).values()) {
      if (one.touches(first, last)) {
        found.add(one);
      }
    }
    return found;
  }

  /** The parts of a piece that no entry covers. */
  private static List<Translation> gaps(
      NavigableMap<Long, Translation> entries, Translation piece) {
    List<Translation> gaps = new ArrayList<>(1);
    long at = piece.iova();
    for (Translation there : touching(entries, piece.iova(), piece.last())) {
      if (Long.compareUnsigned(at, there.iova()) < 0) {
        piece.within(at, there.iova() - 1).ifPresent(gaps::add);
      }
      if (Long.compareUnsigned(there.last(), piece.last()) >= 0) {
        return gaps;
      }
      at = there.last() + 1;
    }
    piece.within(at, piece.last()).ifPresent(gaps::add);
    return gaps;
  }
}
