/**
 * The network behind the mock back ends: one switch that learns, and one host that answers and
 * asks.
 *
 * <pre>
 *   guest NIC 0 -- back end, source ------ port --+                +-- port -- AnsweringHost
 *                  back end, destination - port --+ LearningSwitch +             answers ARP and echo,
 *   guest NIC 1 -- back end, source ------ port --+                              pings every guest
 *                  back end, destination - port --+
 * </pre>
 *
 * <p>The switch pins a station to the port where it was first seen, until the station is announced
 * elsewhere (RARP or gratuitous ARP). After a migration an inbound ping therefore arrives only when
 * the announcement did its work.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="net"}
 */
@NullMarked
package io.github.jvhost.testkit.net;

import org.jspecify.annotations.NullMarked;
