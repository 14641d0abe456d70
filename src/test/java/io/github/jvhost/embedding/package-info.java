/**
 * The code of docs/embedding.md: a small VMM, as far as a device and a migration need one, and
 * tests that it works. What the guide shows stands between {@code // guide:} marks.
 */
package io.github.jvhost.embedding;
