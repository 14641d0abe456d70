/**
 * Makes one page for a browser from the output of {@code jvhost demo --json}, or from a flight
 * recording. The page needs no network, no script and no other font.
 *
 * <pre>
 *   JSON text --Json--&gt; tree --RunReader--&gt; Run, Run, ... --ReportPage--&gt; HTML text
 *                                                            Overview       bars
 *                                                            FactsTable     figures, a column a run
 *                                                            TimeLinePart   messages, as SVG
 *                                                            ReportTables   plan, every message
 *                                                              Html         escapes all of it
 *
 *   recording --RecordingFrame--&gt; checked --RecordingReader--&gt; Recording --RecordingPart--&gt;  the same
 *                                             RecordedLane    pictures and table of messages
 * </pre>
 *
 * <p>The page contains only values that a reader could calculate too: differences of moments,
 * shares, counts. Names, reasons and payloads come from files and may be anything. Only {@link
 * io.github.jvhost.report.Html} writes them into the page, and it escapes them.
 */
@NullMarked
package io.github.jvhost.report;

import org.jspecify.annotations.NullMarked;
