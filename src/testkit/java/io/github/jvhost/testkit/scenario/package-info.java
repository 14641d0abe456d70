/**
 * Whole migrations of the test guest: two hosts with their back ends, one switch, one link, and
 * everything that can change or go wrong on the way.
 *
 * <pre>
 *      source host                          destination host
 *   +----------------+      one link      +------------------+
 *   | guest   memory |====================| memory   (guest) |
 *   | VhostNet x n   |                    | VhostNet x n     |
 *   +---|--------|---+                    +---|--------|-----+
 *     socket   socket                       socket   socket
 *   back end  back end                    back end  back end
 *        \      |                              |      /
 *         +-----+------- LearningSwitch -------+-----+---- AnsweringHost
 * </pre>
 *
 * <p>Nothing but the link is shared between the hosts, so that they could be two processes.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="scenario"}
 */
@NullMarked
package io.github.jvhost.testkit.scenario;

import org.jspecify.annotations.NullMarked;
