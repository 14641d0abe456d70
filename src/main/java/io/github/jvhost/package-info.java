/**
 * A vhost-user front end for the JVM: the half of the protocol that lives in a virtual machine
 * monitor.
 *
 * <p>This package has only what all other packages share: the exceptions, the recovery that each of
 * them carries, and bytes as a value. Start reading at {@link io.github.jvhost.vhost}; {@code
 * docs/architecture.md} describes all packages.
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="root"}
 */
@NullMarked
package io.github.jvhost;

import org.jspecify.annotations.NullMarked;
