/**
 * The code of docs/testing.md: tests of a VMM in Java and of a program in any language, each
 * against a mock back end.
 */
@NullMarked
package io.github.jvhost.testing;

import org.jspecify.annotations.NullMarked;
