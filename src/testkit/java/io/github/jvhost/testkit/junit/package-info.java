/**
 * Mock back ends for tests with JUnit. A {@link
 * io.github.jvhost.testkit.junit.MockBackEndExtension} gives each test a mock back end at its own
 * socket, and fails the test if the front end broke a rule or a descriptor stayed open.
 *
 * <p>This is the only package of the testkit that needs JUnit: junit-jupiter-api, of version 6.
 *
 * {@snippet file="io/github/jvhost/EmbeddingExampleTest.java" region="junit"}
 */
@NullMarked
package io.github.jvhost.testkit.junit;

import org.jspecify.annotations.NullMarked;
