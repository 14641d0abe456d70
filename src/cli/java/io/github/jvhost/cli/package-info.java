/**
 * The command {@code jvhost}: words on a terminal in, words or JSON out. What it does lives in the
 * other packages.
 *
 * <pre>
 *   Jvhost            the command line, errors as one line, exit codes
 *     DemoCommand     options of "demo" -> MigrationScenario, one run a variant
 *       DemoTable     for people
 *       DemoJson      for programs
 *       ReportFile    for a browser: the JSON through report.ReportPage
 *     ReportCommand   a file with such JSON -> the page
 *     MockBackEndCommand    options of "mock-back-end" -> MockBackEnd, until a signal ends it
 *       FaultWords          what it shall do wrong
 *       MockTrace           every message as it comes
 *       MockSummary         what it saw
 *     ProbeCommand          -> BackEndProbe, once
 *       ProbeSummary
 *     ProxyCommand          -> Relay, until a signal ends it; CaptureQueue -> lines, CaptureWriter
 *       ProxySummary        what it saw
 *     TraceCommand          CaptureReader -> TracedSession, WhatIf
 *       TraceSummary
 *     PlanCommand           QEMU's stream -> SavedMachine -> PlanPreview
 *     ShowCommand, DiffCommand, RoundTripCommand   "vmstate ..." -> SavedMachine
 *       SavedFieldsSummary
 *     BenchCommand          the benchmarks
 *       BenchSummary
 *     CompletionCommand     a script for shells, with Candidates for options
 *     Output          the option --json; prints what a command shows, which is described once:
 *       Shown         names, values and texts; prints the texts
 *       JsonText      prints the names and values
 *     InputFile, OutputFile, StandardOutput   what is read and written, and why it could not be
 * </pre>
 */
@NullMarked
package io.github.jvhost.cli;

import org.jspecify.annotations.NullMarked;
