/**
 * The network behind the mock back ends: a switch that learns addresses, and a host that answers
 * pings and sends them.
 *
 * <pre>
 *   guest NIC 0 -- back end, source ------ port --+                +-- port -- AnsweringHost
 *                  back end, destination - port --+ LearningSwitch +             answers ARP and echo,
 *   guest NIC 1 -- back end, source ------ port --+                              pings every guest
 *                  back end, destination - port --+
 * </pre>
 *
 * <p>The switch binds a station to the port at which it first saw it, until an announcement arrives
 * at another port (RARP or gratuitous ARP). So after a migration an inbound ping arrives only if
 * the announcement worked.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="net"}
 */
@NullMarked
package io.github.jvhost.testkit.net;

import org.jspecify.annotations.NullMarked;
