package io.github.jvhost.vhost;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.ProtocolException;
import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.plan.BackEndRefusedException;
import java.util.List;
import java.util.Locale;

/**
 * Postcopy at one back end, the protocol's part of it: guest and back end run on the destination
 * while pages are still on the source, and each fault waits until its page was fetched. Fetching
 * them is the embedder's.
 *
 * <pre>
 *   IDLE --advise--&gt; ADVISED --listen--&gt; LISTENING --memory--&gt; MAPPED --goAhead--&gt; RUNNING
 *           |           |                    ^                   |                    |
 *      userfaultfd      |                    |                 bases                  |
 *                       |                    +--- memory, told again (from RUNNING) --+
 *                       |                                                             |
 *                       +-----------------------------end-----------------------------+--&gt; ENDED
 * </pre>
 *
 * <ol>
 *   <li>{@link #advise} before pages flow. The embedder keeps the userfaultfd and polls it.
 *   <li>{@link #listen} when precopy is over, before the rings start.
 *   <li>{@link #memory}; the embedder learns where the back end sees its memory, and prepares to
 *       serve faults there.
 *   <li>{@link #goAhead}: from here on the back end may touch memory. It must not hear it before
 *       faults are served, because it would wait for ever.
 *   <li>{@link #end} when every page has arrived.
 * </ol>
 *
 * <p>Not together with memory that a back end has pinned already: a pinned page exists, so it never
 * faults, and the guest would read zeroes. A back end pins memory where hardware reaches it by DMA,
 * and an early configuration (PRESETUP, or an early memory table) has it do so before the pages are
 * there. An embedder that wants postcopy leaves presetup off for the device; nothing on the wire
 * says whether a back end pins, so nothing here can check it.
 *
 * <p>Not with CONFIGURE_MEM_SLOTS either, which the protocol forbids; {@link #advise} refuses it.
 *
 * <p>After a failure the connection is to be made anew; the state stays where it was. One thread,
 * the channel's.
 */
public final class Postcopy {
  /** How far it has come. */
  public enum State {
    /** Nothing was said yet. */
    IDLE,
    /** The back end knows that postcopy may come. */
    ADVISED,
    /** It has begun; the next memory table is answered. */
    LISTENING,
    /** The back end has mapped memory, and waits. */
    MAPPED,
    /** The back end touches memory, and faults. */
    RUNNING,
    /** It is over. */
    ENDED
  }

  private final VhostUserFrontEnd frontEnd;
  private State state = State.IDLE;

  /**
   * Postcopy that has not begun.
   *
   * @param frontEnd with PAGEFAULT and REPLY_ACK, and without CONFIGURE_MEM_SLOTS
   */
  public Postcopy(VhostUserFrontEnd frontEnd) {
    this.frontEnd = frontEnd;
  }

  /** {@return how far it has come} */
  public State state() {
    return state;
  }

  /**
   * Says that postcopy may come.
   *
   * @return the back end's userfaultfd, on which its faults are read and resolved; the caller's to
   *     close
   * @throws VhostException (GIVE_UP) if PAGEFAULT or REPLY_ACK was not negotiated, or
   *     CONFIGURE_MEM_SLOTS was
   * @throws IllegalStateException if it was said before
   */
  public OwnedDescriptor advise() {
    require("advise", State.IDLE);
    long features = frontEnd.channel().protocolFeatures();
    if (ProtocolFeature.CONFIGURE_MEM_SLOTS.isIn(features)) {
      throw unavailable("memory slots (CONFIGURE_MEM_SLOTS) are negotiated");
    }
    if (!ProtocolFeature.REPLY_ACK.isIn(features)) {
      throw unavailable("POSTCOPY_LISTEN needs REPLY_ACK, which is not negotiated");
    }
    OwnedDescriptor userfault = frontEnd.postcopyAdvise();
    state = State.ADVISED;
    return userfault;
  }

  private VhostException unavailable(String why) {
    return new VhostException(
        "%s: postcopy is not to be had: %s".formatted(frontEnd.channel().name(), why),
        Recovery.GIVE_UP);
  }

  /**
   * Postcopy begins.
   *
   * @throws BackEndRefusedException if the back end cannot
   * @throws IllegalStateException unless {@link #advise} was the last step
   */
  public void listen() {
    require("listen", State.ADVISED);
    frontEnd.postcopyListen();
    state = State.LISTENING;
  }

  /**
   * Tells all of guest memory. Memory that changes later is told again, from {@link State#RUNNING}.
   *
   * @param regions 1 to 8
   * @param files one for each, in the same order; stay the caller's
   * @return where the back end sees it
   * @throws ProtocolException if what it answers is not what it was told, or overlaps
   * @throws IllegalStateException unless {@link #listen} or {@link #goAhead} was the last step
   */
  public PostcopyBases memory(List<MemoryRegionPayload> regions, List<OwnedDescriptor> files) {
    require("tell memory", State.LISTENING, State.RUNNING);
    if (regions.isEmpty()) {
      throw new IllegalArgumentException("a table without regions is the go-ahead");
    }
    List<MemoryRegionPayload> answered = frontEnd.setMemTableInPostcopy(regions, files);
    try {
      PostcopyBases bases = PostcopyBases.of(regions, answered);
      state = State.MAPPED;
      return bases;
    } catch (IllegalArgumentException e) {
      throw new ProtocolException(
          "%s: %s in postcopy: %s"
              .formatted(frontEnd.channel().name(), FrontEndRequest.SET_MEM_TABLE, e.getMessage()));
    }
  }

  /**
   * The back end may touch its memory.
   *
   * @throws IllegalStateException unless {@link #memory} was the last step
   */
  public void goAhead() {
    require("go ahead", State.MAPPED);
    frontEnd.postcopyGoAhead();
    state = State.RUNNING;
  }

  /**
   * Every page has arrived, or postcopy was not needed after all. The userfaultfd means nothing any
   * more once this has returned.
   *
   * @throws BackEndRefusedException if the back end could not end it
   * @throws IllegalStateException before {@link #advise}, or between {@link #memory} and {@link
   *     #goAhead}, where the back end would not hear it
   */
  public void end() {
    require("end", State.ADVISED, State.LISTENING, State.RUNNING);
    frontEnd.postcopyEnd();
    state = State.ENDED;
  }

  private void require(String step, State... allowed) {
    for (State one : allowed) {
      if (state == one) {
        return;
      }
    }
    throw new IllegalStateException(
        "%s: postcopy is %s, and cannot %s now"
            .formatted(frontEnd.channel().name(), state.name().toLowerCase(Locale.ROOT), step));
  }
}
