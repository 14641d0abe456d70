/**
 * What a mediator leaves for the process that comes after it: its descriptors, and one file with
 * its state. A mediator that is killed takes no connection and no packet with it, because another
 * process holds a duplicate of every descriptor.
 *
 * <pre>
 *                                    SystemdStore --NOTIFY_SOCKET--&gt; systemd --LISTEN_FDS--+
 *   mediator --put--&gt; DescriptorStore                                                      |
 *      |                             KeeperStore  --a socket-------&gt; jvhost keep           v
 *      |                                                              = Keeper ----&gt; next mediator:
 *      +--write--&gt; StateFile: a memfd, in the store under the name "state"              takeUp, read
 * </pre>
 *
 * <h2>The order</h2>
 *
 * The state names descriptors of the store. A process may be killed between any two system calls.
 * So a descriptor is put before a state that names it is written, and removed only after a state
 * that does not name it was written. Whatever takes over then finds every descriptor that the state
 * names, and perhaps some that it does not name: those it removes.
 *
 * <pre>
 *   put "net0.kick.2"    write(state with net0.kick.2)    ...    write(state without)    remove
 *   |-- not named -------|-- named ------------------------------|-- not named ----------|
 *   |-- in the store --------------------------------------------------------------------|
 * </pre>
 *
 * So a new file gets a new name: a put under a name that is in use takes the old file away while a
 * state names it.
 *
 * <h2>The keeper's protocol, version 1</h2>
 *
 * A stream socket of the AF_UNIX family, with mode 0600. Each frame has a header of eight bytes and
 * a text. A descriptor is sent (SCM_RIGHTS) with the first byte of its frame.
 *
 * <pre>
 *   0        4         5      6        8                     8 + length
 *   | "jvkp" | version | kind | length | text, length bytes  |
 *              1 byte   1 byte  2 bytes, little-endian, at most 255
 *                                        printable ASCII
 *
 *   kind          text                       descriptors   who        answer
 *   1 PUT         a name                     1             client     DONE, REFUSED
 *   2 REMOVE      a name                     0             client     DONE
 *   3 NEXT        a name, or nothing         0             client     ENTRY, DONE, REFUSED
 *   4 DONE        nothing                    0             keeper
 *   5 ENTRY       a name                     1             keeper
 *   6 REFUSED     the reason                 0             keeper
 * </pre>
 *
 * <p>The keeper speaks first: DONE, or REFUSED when it has a client already, and then it hangs up.
 * After that each request has one answer. NEXT asks for the first entry whose name comes after the
 * given one, in the order of ASCII; DONE says that there is none. REMOVE of a name that is not
 * there does nothing. The keeper hangs up after a frame that is none of these. It keeps its
 * descriptors when a client goes.
 */
@NullMarked
package io.github.jvhost.mediate.keep;

import org.jspecify.annotations.NullMarked;
