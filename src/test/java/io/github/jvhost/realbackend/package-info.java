/**
 * The library against back ends that somebody else wrote: DPDK's testpmd, QEMU's storage daemon,
 * Open vSwitch. Each is skipped where its program is not installed.
 */
@NullMarked
package io.github.jvhost.realbackend;

import org.jspecify.annotations.NullMarked;
