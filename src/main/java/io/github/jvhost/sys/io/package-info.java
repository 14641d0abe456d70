/**
 * The system calls, and the classes that map memory, wait for descriptors and transfer bytes.
 * Exported only to the testkit, whose back end does the same. It belongs to {@code sys}: it borrows
 * or returns the descriptors of that package.
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
