/**
 * Previews of plans for saved devices, and what they assume because a saved device does not contain
 * it: the addresses of the guest's memory, and which parts of the saved state a vhost-user device
 * has.
 *
 * <pre>
 *   saved state ----------> PlanPreviewState ---+
 *   machine, size of RAM -> PlanPreviewMemory --+--> {@link io.github.jvhost.testkit.preview.PlanPreview}
 * </pre>
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="preview"}
 */
@NullMarked
package io.github.jvhost.testkit.preview;

import org.jspecify.annotations.NullMarked;
