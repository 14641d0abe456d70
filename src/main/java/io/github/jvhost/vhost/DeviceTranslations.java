package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.memory.Access;
import io.github.jvhost.memory.DeviceMemory;
import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.memory.Translation;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.Fact;
import io.github.jvhost.vhost.plan.MissHandler;
import io.github.jvhost.vhost.plan.PlannedStep;
import io.github.jvhost.vhost.plan.Shadow;
import io.github.jvhost.vhost.plan.Step;
import io.github.jvhost.vhost.plan.Translations;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Which translations the back end of one device is to have: those of its rings, and those that
 * somebody has asked for. The device's IOMMU says where they lead.
 *
 * <pre>
 *   asked      for by the back end (a miss), the embedder (iotlbUpdate), the early record
 *   desired    asked, and the areas of the rings, which are looked up anew for each plan
 *   told       what the back end may hold: what the shadow has, what the plan sends that is under
 *              way, and what was sent besides. In each of the three none overlap
 * </pre>
 *
 * <p>Only a plan withdraws. So what is told between plans overlaps nothing that was told or is
 * desired.
 *
 * <p>A back end asks only once. So a miss that is not answered at once waits until it was told:
 *
 * <pre>
 *   missed --told before---------------------------&gt; told again at once: it has dropped it
 *      |
 *      +-----mapped, nothing to withdraw, room-----&gt; told at once
 *      |
 *      +--else--&gt; unmapped --the guest maps it--&gt; due --a plan: the oldest make room--&gt; told
 *                    |
 *                    +-- more than {@link #MOST_WAITING}: the connection is closed and made anew
 * </pre>
 *
 * <p>A translation is told as the IOMMU has it, but for two things. Whatever may be written may
 * also be read, and a ring's areas may be read and written, because DPDK serves no ring and fills
 * no buffer otherwise. And it ends where its memory region ends.
 *
 * <p>Thread-safe: a back end is answered by whatever thread waits for it.
 */
final class DeviceTranslations implements MissHandler {
  /**
   * The most translations besides those of the rings. DPDK keeps them in a list that it walks for
   * each access: 1,000 of them were seen to cost 80 us for 32 frames.
   */
  static final int MOST = 1024;

  /** The most that a source tells: with the areas of its rings, wherever they lie. */
  static final int MOST_HINTS = 2 * MOST;

  /** What a plan makes room for if there are too many. The others wait for the next one. */
  private static final int ROOM = MOST / 4;

  /**
   * The most misses that wait. The connection of a back end that asks for more is closed. What it
   * asks for on the next one is all that counts. DPDK remembers 2,048 a ring at most.
   */
  static final int MOST_WAITING = 1 << 16;

  private final String name;
  private final DeviceMemory memory;
  private final MappedMemory mapped;
  private final ApartMemory neighbours;

  /** What was asked for, by I/O virtual address; none overlap. */
  private final TranslationMap asked = new TranslationMap();

  /** The addresses of these, the oldest first. */
  private final LinkedHashSet<Long> ages = new LinkedHashSet<>();

  /** What the back end may hold. */
  private final TranslationMap told = new TranslationMap();

  /** The memory table that the back end has. It refuses what leads elsewhere. */
  private MemoryTable memoryTold = MemoryTable.EMPTY;

  /** Misses that wait for the guest. */
  private final Misses unmapped = new Misses();

  /** Misses that wait for a plan. */
  private final Misses due = new Misses();

  /** Whether more have come than may wait. */
  private boolean tooMany;

  /** What was sent between plans, for the shadow. */
  private final TranslationMap sent = new TranslationMap();

  /** Where the guest has changed something since the last plan; null: anywhere. */
  private @Nullable Area changed;

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

    boolean wraps() {
      return Long.compareUnsigned(last(), first) < 0;
    }
  }

  DeviceTranslations(String name, DeviceMemory memory) {
    this.name = name;
    this.memory =
        memory.translated()
            ? new DeviceMemory(memory.guest(), new CarefulIommu(name, memory.iommu()))
            : memory;
    this.mapped = new MappedMemory(this.memory);
    this.neighbours = new ApartMemory(name);
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
   * @throws VhostException (RECONNECT) if the back end has asked for more than can be remembered
   */
  synchronized List<Translation> desired(List<Area> rings, boolean complete) {
    if (complete) {
      requireNoneForgotten();
      checkAsked();
      askForDue();
    }
    TranslationMap all = new TranslationMap(asked);
    for (Area area : rings) {
      coverRing(all, area, complete);
    }
    List<Translation> inOrder = all.all();
    neighbours.warnOf(inOrder, memory.guest().table());
    return inOrder;
  }

  /**
   * Limits what the next plan looks up, because the guest has changed nothing else since the last
   * one. An IOMMU may walk page tables for each address.
   *
   * @param range null: anything may have changed
   */
  synchronized void changedOnlyIn(@Nullable Area range) {
    changed = range;
  }

  /** Replaces what the IOMMU says otherwise by now; what it does not translate any more is gone. */
  private void checkAsked() {
    Area range = changed;
    for (Translation one :
        range == null ? asked.all() : asked.touching(range.first(), range.last())) {
      if (!mapped.has(one)) {
        forget(one);
        mapped.pieces(one.iova(), one.last()).forEach(this::ask);
      }
    }
  }

  private void requireNoneForgotten() {
    if (tooMany) {
      throw new VhostException(
          "%s: the back end has asked for more than %d addresses that its guest has not mapped, and asks once for each; its connection is closed, so that it asks again"
              .formatted(name, MOST_WAITING),
          Recovery.RECONNECT);
    }
  }

  /** Asks for what is due. If there is too much, the oldest others go. */
  private void askForDue() {
    boolean full = asked.size() + due.size() > MOST;
    while (full && asked.size() > MOST - ROOM) {
      forget(oldest());
    }
    for (Misses.Miss miss : due.all()) {
      if (asked.size() == MOST) {
        return; // the next plan goes on
      }
      if (isTold(miss)) {
        due.remove(miss); // by the answer to another one
      } else if (isMapped(miss)) {
        askFor(miss);
      } else {
        due.remove(miss);
        unmapped.add(miss);
      }
    }
  }

  /**
   * Those that are one piece together, in the order of their addresses; at most {@link
   * #MOST_HINTS}.
   */
  static List<Translation> merged(List<Translation> pieces) {
    List<Translation> merged = new ArrayList<>();
    for (Translation piece : pieces) {
      Translation last = merged.isEmpty() ? null : merged.getLast();
      if (last != null && last.continuesIn(piece) && last.access() == piece.access()) {
        merged.set(
            merged.size() - 1,
            new Translation(
                last.iova(), last.guestAddress(), last.length() + piece.length(), last.access()));
      } else if (merged.size() < MOST_HINTS) {
        merged.add(piece);
      }
    }
    return merged;
  }

  /**
   * Adds what an area of a ring lacks. Where something is there that may only be read, the part of
   * it that lies in the area is told apart, for writing too.
   */
  private void coverRing(TranslationMap all, Area area, boolean complete) {
    if (area.wraps()) {
      return; // no ring can be across the end of all addresses, whatever a driver has written
    }
    for (Translation there : all.touching(area.first(), area.last())) {
      if (!there.access().permits(Access.WRITE)) {
        all.cut(there, area.first(), area.last()).ifPresent(part -> all.put(writable(part)));
      }
    }
    if (!complete) {
      return; // the IOMMU does not know its guest yet
    }
    for (Translation piece : mapped.pieces(area.first(), area.last())) {
      all.missingOf(piece).forEach(gap -> all.put(writable(gap)));
    }
  }

  private static Translation writable(Translation one) {
    return new Translation(one.iova(), one.guestAddress(), one.length(), Access.READ_WRITE);
  }

  /**
   * Whether a ring can be set up now: the IOMMU translates all of it. Where the back end takes
   * adjoining addresses for adjoining memory, each area also is one piece of memory; otherwise it
   * is said once that the ring is not served.
   *
   * @param joins whether the back end does so
   */
  synchronized boolean canServe(int ring, List<Area> areas, boolean joins) {
    for (Area area : areas) {
      List<Translation> pieces =
          area.wraps() ? List.of() : mapped.pieces(area.first(), area.last());
      if (pieces.stream().mapToLong(Translation::length).sum() != area.length()) {
        return false;
      }
      if (joins && !neighbours.isWhole(ring, pieces, memory.guest().table())) {
        return false;
      }
    }
    return true;
  }

  /**
   * What the back end was told.
   *
   * @param held after the last plan
   */
  synchronized IotlbStatus status(Shadow held, BackEndCapabilities capabilities) {
    Shadow now = held.after(steps(sent), capabilities, false);
    Translations told = now.get(Fact.TRANSLATIONS).orNull();
    List<Translation> all = told == null ? List.of() : told.all();
    long widened = all.stream().filter(t -> !mapped.permits(t.iova(), t.access())).count();
    return new IotlbStatus(
        all.size(), (int) widened, ApartMemory.in(all, memory.guest().table()).size(), misses);
  }

  // ---- what is asked for ----

  /**
   * An answer is sent at once, and nobody waits for what the back end says to it. So it withdraws
   * nothing: {@code iotlbInvalidate} could not know whether the back end has forgotten that. If
   * something has to be withdrawn first, a plan answers. What was told is told again, whatever the
   * IOMMU says by now: if it is wrong, {@code iotlbInvalidate} is about to be called, or the plan
   * that starts the rings withdraws it.
   */
  @Override
  public synchronized Optional<Step.Translate> missed(long iova, Access access) {
    misses++;
    Translation there = told.at(iova);
    if (there != null && there.access().permits(access)) {
      return Optional.of(send(there));
    }
    if (there == null && asked.at(iova) == null && asked.size() < MOST) {
      Optional<Translation> piece =
          pieceToTell(iova, access).filter(t -> memoryTold.contains(t.guestAddress(), t.length()));
      if (piece.isPresent()) {
        return Optional.of(send(ask(piece.get())));
      }
    }
    letWait(new Misses.Miss(iova, access));
    return Optional.empty();
  }

  private void letWait(Misses.Miss miss) {
    if (unmapped.contains(miss) || due.contains(miss)) {
      return;
    }
    if (unmapped.size() + due.size() == MOST_WAITING) {
      tooMany = true; // the next plan says so
    } else if (isMapped(miss)) {
      due.add(miss);
    } else {
      unmapped.add(miss);
    }
  }

  private Step.Translate send(Translation one) {
    told.put(one);
    sent.replace(one);
    return new Step.Translate(one, memory.guest().table());
  }

  private void askFor(Misses.Miss miss) {
    Translation there = asked.at(miss.iova());
    if (there != null && there.access().permits(miss.access()) && mapped.has(there)) {
      return; // another miss has asked for it
    }
    if (there != null) {
      forget(there);
    }
    pieceToTell(miss.iova(), miss.access()).ifPresent(this::ask);
  }

  /** The largest piece around an address that overlaps nothing else that was told or asked for. */
  private Optional<Translation> pieceToTell(long iova, Access access) {
    return mapped
        .largestAt(iova, granted(access))
        .map(whole -> asked.roomAround(iova, told.roomAround(iova, whole)));
  }

  /**
   * Returns what a guest has to grant. DPDK asks to read and write what it receives into, and Linux
   * lets a device only write there.
   */
  private static Access granted(Access access) {
    return access == Access.READ_WRITE ? Access.WRITE : access;
  }

  /** Whether a plan has to answer a miss. */
  synchronized boolean isPlanWanted() {
    return tooMany || !due.isEmpty();
  }

  /** A plan begins, and the back end may hold what it sends from now on. */
  synchronized void planBegins(List<PlannedStep> steps) {
    for (PlannedStep planned : steps) {
      switch (planned.step()) {
        case Step.Invalidate(long first, long last) -> told.removeTouching(first, last);
        case Step.Translate(Translation one, MemoryTable _) -> told.replace(one);
        default -> {}
      }
    }
  }

  /**
   * A plan has ended. What it did not tell waits for the next one.
   *
   * @param complete whether all of it was done
   * @param held what the back end may hold now
   */
  synchronized void planEnded(List<PlannedStep> steps, boolean complete, Shadow held) {
    if (!complete) {
      holds(held);
      return;
    }
    memoryTold = memoryOf(held);
    for (PlannedStep planned : steps) {
      if (planned.step() instanceof Step.Translate(Translation one, MemoryTable _)) {
        due.removeIf(one.iova(), one.last(), this::isTold);
        unmapped.removeIf(one.iova(), one.last(), this::isTold);
      }
    }
  }

  /** This is what the back end may hold, and what was sent besides. */
  synchronized void holds(Shadow held) {
    told.clear();
    Translations now = held.get(Fact.TRANSLATIONS).orNull();
    if (now != null) {
      now.all().forEach(told::replace);
    }
    sent.all().forEach(told::replace);
    memoryTold = memoryOf(held);
  }

  private static MemoryTable memoryOf(Shadow held) {
    MemoryTable table = held.get(Fact.MEMORY).orNull();
    return table == null ? MemoryTable.EMPTY : table;
  }

  private boolean isTold(Misses.Miss miss) {
    Translation there = told.at(miss.iova());
    return there != null && there.access().permits(miss.access());
  }

  private boolean isMapped(Misses.Miss miss) {
    return mapped.permits(miss.iova(), granted(miss.access()));
  }

  /** The IOMMU may have got its state, or lost it, without a word: a plan is about to look. */
  synchronized void lookAgain() {
    becomeDue(0, -1);
  }

  private void becomeDue(long first, long last) {
    unmapped.take(first, last, this::isMapped).forEach(due::add);
  }

  /**
   * The guest has mapped something.
   *
   * @param push whether the back end is told all of it; otherwise it is told what it has asked for
   * @return whether the back end has to be told something; a plan does that
   */
  synchronized boolean mapped(long first, long last, boolean push) {
    becomeDue(first, last);
    boolean any = isPlanWanted();
    if (push) {
      for (Translation piece : mapped.pieces(first, last)) {
        asked.missingOf(piece).forEach(this::ask);
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
      if (asked.size() < MOST_HINTS
          && Long.compareUnsigned(one.last(), MappedMemory.LAST) <= 0
          && table.contains(one.guestAddress(), one.length())
          && asked.touching(one.iova(), one.last()).isEmpty()) {
        addAsked(one);
      }
    }
  }

  /** What was asked for, in the order of the addresses. */
  synchronized List<Translation> asked() {
    return asked.all();
  }

  /** The driver has reset the device: nothing is asked for now. */
  synchronized void driverHasReset() {
    asked.clear();
    ages.clear();
    forgetMisses();
  }

  /** Another back end holds nothing, and will ask again. What was asked for is told to it. */
  synchronized void anotherBackEnd() {
    told.clear();
    sent.clear();
    memoryTold = MemoryTable.EMPTY;
    forgetMisses();
  }

  private void forgetMisses() {
    unmapped.clear();
    due.clear();
    tooMany = false;
  }

  /** Takes what was sent since the last call. */
  synchronized List<Step.Translate> takeSent() {
    List<Step.Translate> taken = steps(sent);
    sent.clear();
    return taken;
  }

  private List<Step.Translate> steps(TranslationMap of) {
    MemoryTable table = memory.guest().table();
    return of.all().stream().map(one -> new Step.Translate(one, table)).toList();
  }

  private Translation ask(Translation one) {
    Translation wide = addAsked(one);
    if (asked.size() > MOST) {
      forget(oldest()); // the next plan withdraws it
    }
    return wide;
  }

  private Translation addAsked(Translation one) {
    Translation wide = one.access().permits(Access.WRITE) ? writable(one) : one;
    asked.put(wide);
    ages.addLast(wide.iova());
    return wide;
  }

  private Translation oldest() {
    return Objects.requireNonNull(asked.at(ages.getFirst()));
  }

  private void forget(Translation one) {
    asked.remove(one);
    ages.remove(one.iova());
  }
}
