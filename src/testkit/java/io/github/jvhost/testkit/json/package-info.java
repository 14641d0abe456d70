/**
 * The one reader of JSON texts for the testkit, the report and the tests. Not exported: an
 * embedder's tests should use Jackson.
 *
 * <p>Uses no other package of the project. Pure functions, which own nothing.
 */
@NullMarked
package io.github.jvhost.testkit.json;

import org.jspecify.annotations.NullMarked;
