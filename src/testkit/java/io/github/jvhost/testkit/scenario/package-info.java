/**
 * Whole migrations of the test guest: two hosts with their back ends, one switch, one link, and the
 * changes and failures that can happen during a migration.
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
 * <p>The hosts share only the link, so they could be two processes.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="scenario"}
 */
@NullMarked
package io.github.jvhost.testkit.scenario;

import org.jspecify.annotations.NullMarked;
