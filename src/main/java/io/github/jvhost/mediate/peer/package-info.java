/**
 * What two mediators tell each other, and where the guest's memory is found before QEMU sends it.
 *
 * <pre>
 *   source's mediator                         destination's mediator
 *   Hint --publish--&gt; PeerLink ===lines===&gt; PeerLink --received--&gt; Hint
 *                                                                   | sizes of its files
 *                                             GuestRam: the process of QEMU --&gt; descriptors
 *                                                                   |
 *                                             a preset; later QEMU's own messages decide
 * </pre>
 *
 * <p>A hint never becomes truth. It says what the guest had at the source. A hint that is wrong, or
 * forged, costs the time of one presetup. No descriptor and no byte of guest memory crosses the
 * link.
 *
 * <h2>The message</h2>
 *
 * A line is one JSON object in UTF-8, without a line break inside, and ends with a line feed. It
 * has at most 65536 bytes with its line feed. A file that keeps a hint has one such line.
 *
 * <pre>
 *   {"version":1,"what":"configuration","nic":"net0","generation":7,
 *    "features":"0x0000000150030000","mtu":1500,
 *    "regions":[{"guestAddress":0,"size":1073741824,"offset":0,"file":0,"fileSize":1073741824}],
 *    "rings":[{"ring":0,"size":256,"desc":1056768,"used":1064960,"avail":1060864,"enabled":true},
 *             {"ring":1,"size":256,"desc":1077248,"used":1085440,"avail":1081344,"enabled":true}]}
 *   {"version":1,"what":"cancelled","nic":"net0","generation":8}
 *   {"version":1,"what":"gone","nic":"net0","generation":9}
 *   {"version":1,"what":"alive"}
 * </pre>
 *
 * <table>
 * <caption>The fields. Numbers are decimal integers.</caption>
 * <tr><th>field</th><th>in</th><th>meaning and range</th></tr>
 * <tr><td>version</td><td>all</td><td>1; the receiver refuses every other one. It is the first
 *     field</td></tr>
 * <tr><td>what</td><td>all</td><td>configuration: this is what the guest has. cancelled: the
 *     migration is over, the guest stays. gone: the NIC was removed or its front end left. alive: no
 *     hint, the sender is there</td></tr>
 * <tr><td>nic</td><td>hints</td><td>its name, the same on both hosts: 1 to 64 of {@code A-Z a-z 0-9
 *     . _ : -}</td></tr>
 * <tr><td>generation</td><td>hints</td><td>0 to 2^63-1; it grows with each hint of a NIC</td></tr>
 * <tr><td>features</td><td>configuration</td><td>what the driver acknowledged, without
 *     VHOST_F_LOG_ALL: a string of 0x and 1 to 16 hexadecimal digits</td></tr>
 * <tr><td>mtu</td><td>configuration, may be missing</td><td>1 to 65535 bytes</td></tr>
 * <tr><td>regions</td><td>configuration</td><td>0 to 8; each a part of one file, all in bytes and
 *     multiples of 4096 (but for fileSize); offset + size is at most fileSize; no two overlap in the
 *     guest</td></tr>
 * <tr><td>file, fileSize</td><td>a region</td><td>files are numbered from 0 in the order of their
 *     first region; all regions of one file name the same size</td></tr>
 * <tr><td>rings</td><td>configuration</td><td>0 to 512; only those that the driver has set up, in
 *     the order of their numbers</td></tr>
 * <tr><td>ring, size</td><td>a ring</td><td>0 to 511; 1 to 32768 entries, a power of two where the
 *     features do not have VIRTIO_F_RING_PACKED</td></tr>
 * <tr><td>desc, used, avail</td><td>a ring</td><td>guest addresses of its three parts, each aligned
 *     as virtio wants it and inside one region</td></tr>
 * <tr><td>enabled</td><td>a ring</td><td>true or false: the last SET_VRING_ENABLE</td></tr>
 * </table>
 *
 * <p>The receiver skips fields that it does not know. It refuses a field that comes twice, a field
 * of another type or out of its range, and values that are nested deeper than 8. After a refused
 * line it closes the connection.
 *
 * <h2>The link</h2>
 *
 * After connecting each side sends alive, then the newest hint of each of its NICs, then whatever
 * changes. Each sends alive every 3 seconds. Whoever gets no whole line for 10 seconds, or more
 * than 4096 lines or 16 MiB in a second, closes the connection. The side that connects tries again
 * after 0.1 s, and after twice the time at each further attempt, up to 5 s. The side that listens
 * serves one peer, and closes what connects besides.
 */
@NullMarked
package io.github.jvhost.mediate.peer;

import org.jspecify.annotations.NullMarked;
