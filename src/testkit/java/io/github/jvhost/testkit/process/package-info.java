/**
 * Child processes for tests with real back ends. Each is started by its program's name, its output
 * is read, and it ends with its owner.
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
 * <p>A child is ended only through the handle that started it.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="process"}
 */
@NullMarked
package io.github.jvhost.testkit.process;

import org.jspecify.annotations.NullMarked;
