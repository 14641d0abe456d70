/**
 * Child processes for tests with real back ends: started by their program's name, listened to, and
 * gone when their owner is.
 *
 * <pre>
 *   this JVM                            the child
 *   +----------------+   stdin          +--------------------------+
 *   | ChildProcess   |-----------------&gt;| commands, or a leash: at |
 *   |                |                  | its end the child is     |
 *   |  Transcript    |&lt;-----------------| killed, whoever ended it |
 *   |  (bounded)     |   stdout, stderr +--------------------------+
 *   +----------------+
 * </pre>
 *
 * <p>A child is only ever ended through the handle by which it was started.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="process"}
 */
@NullMarked
package io.github.jvhost.testkit.process;

import org.jspecify.annotations.NullMarked;
