/**
 * The one reader of JSON texts for the testkit, the report and the tests. Not exported: Jackson is
 * what an embedder's tests are to use.
 *
 * <p>Uses nothing. Pure functions; nothing is owned.
 */
@NullMarked
package io.github.jvhost.testkit.json;

import org.jspecify.annotations.NullMarked;
