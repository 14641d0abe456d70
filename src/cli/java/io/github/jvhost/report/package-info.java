/**
 * What {@code jvhost demo --json} printed, as one page for a browser that needs nothing else: no
 * network, no script, no font of its own.
 *
 * <pre>
 *   JSON text --Json--&gt; tree --RunReader--&gt; Run, Run, ... --ReportPage--&gt; HTML text
 *                                                            Overview       bars
 *                                                            FactsTable     figures, a column a run
 *                                                            TimeLinePart   messages, as SVG
 *                                                            ReportTables   plan, every message
 *                                                              Html         escapes all of it
 * </pre>
 *
 * <p>The page calculates nothing that a reader could not: differences of moments, shares, counts.
 * Names, reasons and payloads come from files and may be anything; they get into the page through
 * {@link io.github.jvhost.report.Html} only, which escapes them.
 */
@NullMarked
package io.github.jvhost.report;

import org.jspecify.annotations.NullMarked;
