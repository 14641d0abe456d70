/**
 * A live migration's two ends, as far as devices are concerned: early records while the guest runs,
 * presetup on the destination, the stop, the final state, the hand-over, and the start.
 *
 * <pre>
 *   source                                   destination
 *   ------                                   -----------
 *   HELLO  ------------------------------->  same memory, same devices?
 *          &lt;-------------------------------  READY
 *   dirty logs on
 *   EARLY per device, EARLY_END  --------->  presets its back ends (a thread of its own)
 *   PAGES ... PAGES  --------------------->  guest memory
 *          &lt;-------------------------------  PRESET per device: done, or why not
 *   PAGES (what was written meanwhile)  -->
 *   STOPPING  ---------------------------->  ends presetup
 *   -- guest stopped --
 *   GET_VRING_BASE of all rings
 *   STATE of back ends that have one  ---->
 *   PAGES (the last ones)  --------------->
 *   FINAL or MOVED per device, COMMIT  --->  restores, sends the difference, awaits the barrier
 *          &lt;-------------------------------  RUNNING (or ABORT: the source runs on)
 * </pre>
 *
 * <p>COMMIT is the hand-over. If something fails before it, the source runs on. After it the source
 * never runs again unless the destination sends ABORT, and the destination never runs before it has
 * everything. So there are never two guests, and never none while both ends and their connection
 * live. (If the connection is lost while COMMIT is on its way, the source stays paused, because it
 * cannot know whether COMMIT arrived.)
 *
 * <p>RAM, the stream and the VM are the embedder's: {@link io.github.jvhost.migration.RamSource},
 * {@link io.github.jvhost.migration.RamTarget}, {@link io.github.jvhost.migration.MigrationLink},
 * {@link io.github.jvhost.migration.VmControl}.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="migration"}
 *
 * <p>Of a {@link io.github.jvhost.memory.GuestMemory} {@link
 * io.github.jvhost.migration.PreCopySource} and {@link io.github.jvhost.migration.InPlaceTarget}
 * are the two ends of the RAM: pre-copy in rounds.
 *
 * <pre>
 *   guest's writes (GuestMemory.trackWrites) --+
 *                                              +--&gt; DirtyBitmap --&gt; runs of pages --&gt; the stream
 *   back ends' writes (DirtyLog) --------------+
 * </pre>
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="ram"}
 */
@NullMarked
package io.github.jvhost.migration;

import org.jspecify.annotations.NullMarked;
