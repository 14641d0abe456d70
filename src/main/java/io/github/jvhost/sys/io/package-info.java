/**
 * The system calls, and what the library itself maps, waits on and moves bytes with. Exported to
 * the testkit alone, whose back end does the same. One room with {@code sys}, whose descriptors it
 * borrows or hands out.
 *
 * <pre>
 *   Poller   borrows numbers for one wait        Pipe: two; PipeReader, PipeWriter
 *   Epoll    for many, and for longer            SocketIo: bytes with descriptors
 *
 *   MemoryFile --map--&gt; Mapping: a MemorySegment, gone after close
 *
 *   ------------------ Linux: every downcall handle ------------------ libc
 * </pre>
 */
@NullMarked
package io.github.jvhost.sys.io;

import org.jspecify.annotations.NullMarked;
