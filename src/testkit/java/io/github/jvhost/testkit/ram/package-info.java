/**
 * Guest memory on its way to another host: pre-copy in rounds, as one way to be a migration's
 * {@link io.github.jvhost.migration.RamSource} and {@link io.github.jvhost.migration.RamTarget}.
 *
 * <pre>
 *   guest's writes (GuestMemory.trackWrites) --+
 *                                              +--> DirtyBitmap --> runs of pages --> the stream
 *   back ends' writes (DirtyLog) --------------+
 * </pre>
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="ram"}
 */
@NullMarked
package io.github.jvhost.testkit.ram;

import org.jspecify.annotations.NullMarked;
