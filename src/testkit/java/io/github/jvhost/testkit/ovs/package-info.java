/**
 * A real switch for tests, as a back end that connects to the front end: Open vSwitch with DPDK,
 * with everything that it needs in a directory of its own and no system service.
 *
 * <pre>
 *    this JVM listens                      a network namespace of its own
 *   +----------------+                    +-------------------------------------+
 *   | front end ch.0 |&lt;== connects to us ==| dpdkvhostuserclient port  \         |
 *   |                |                    |                            bridge   |
 *   | front end ch.1 |&lt;== connects to us ==| dpdkvhostuserclient port  /  (L2)   |
 *   +----------------+                    | ovs-vswitchd &lt;- ovsdb-server        |
 *                                         +-------------------------------------+
 * </pre>
 *
 * <p>No huge pages and no network card are needed, but root's rights, because the switch makes
 * interfaces of the kernel's too (in the namespace, with which they vanish), and two processor
 * cores.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="ovs"}
 */
@NullMarked
package io.github.jvhost.testkit.ovs;

import org.jspecify.annotations.NullMarked;
