/**
 * A real switch for tests, as a back end that connects to the front end: Open vSwitch with DPDK. It
 * keeps all its files in one directory and needs no system service.
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
 * <p>It needs no huge pages and no network card. It needs two processor cores and root's rights,
 * because the switch also makes kernel interfaces (in the namespace, with which they disappear).
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="ovs"}
 */
@NullMarked
package io.github.jvhost.testkit.ovs;

import org.jspecify.annotations.NullMarked;
