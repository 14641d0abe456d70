/**
 * What a preview of plans takes for granted, because no saved device says it: where the guest's
 * memory lies, and what of the saved state a vhost-user device has.
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
