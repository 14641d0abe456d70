/**
 * A real, unmodified back end for tests and for the demo: DPDK's {@code dpdk-testpmd} as a child
 * process, driven through its prompt.
 *
 * <pre>
 *        this JVM                               dpdk-testpmd (its own process)
 *   +------------------+   stdin: start, show   +---------------------------+
 *   | Testpmd          |-----------------------&gt;| prompt    "testpmd&gt; "     |
 *   |   Transcript     |&lt;-----------------------|   output (bounded, kept   |
 *   |                  |   stdout and stderr    |   for error messages)     |
 *   | front end ch. 0  |===== AF_UNIX socket ===| port 0  net_vhost0        |--+  icmpecho: answers ARP
 *   | front end ch. 1  |===== AF_UNIX socket ===| port 1  net_vhost1        |--+  and ICMP echo requests
 *   +------------------+                        +---------------------------+
 * </pre>
 *
 * <p>testpmd needs no huge pages and no network card here, but it needs two processor cores: one
 * reads the prompt, and the other only polls the rings. By default it locks its memory, as real
 * switches do, so that a memory table makes it fault in the whole guest.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="dpdk"}
 */
@NullMarked
package io.github.jvhost.testkit.dpdk;

import org.jspecify.annotations.NullMarked;
