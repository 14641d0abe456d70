/**
 * The command {@code jvhost}: it parses the command line and prints text or JSON. The other
 * packages do the work.
 *
 * <pre>
 *   Jvhost            the command line, errors as one line, exit codes
 *     DemoCommand     options of "demo" -> MigrationScenario, one run a variant
 *       DemoTable     for people
 *       DemoJson      for programs
 *       ReportFile    for a browser: the JSON through report.ReportPage
 *     ReportCommand   a file with such JSON, or a flight recording -> the page
 *     MockBackEndCommand    options of "mock-back-end" -> MockBackEnd, until a signal ends it
 *       FaultWords          the faults that it makes
 *       MockTrace           every message as it comes
 *       MockSummary         a summary
 *     ProbeCommand          -> BackEndProbe, once
 *       ProbeSummary
 *     ProxyCommand          -> Relay, until a signal ends it; CaptureQueue -> lines, CaptureWriter
 *       ProxySummary        a summary
 *     KeepCommand           -> Keeper, until a signal ends it
 *     MediateCommand        -> Mediator, until a signal ends it
 *       NicWords, MemoryWords   values of its options
 *       MediateStatusCommand, MediateMoveCommand, MediateStandbyCommand
 *         ControlQuestion       -> ControlClient
 *         MediateSummary        what goes on in a mediator
 *     TraceCommand          CaptureReader -> TracedSession, WhatIf
 *       TraceSummary
 *     PlanCommand           QEMU's stream -> SavedMachine -> PlanPreview
 *     ShowCommand, DiffCommand, RoundTripCommand   "vmstate ..." -> SavedMachine
 *       SavedFieldsSummary
 *     BenchCommand          the benchmarks
 *       BenchSummary
 *     CompletionCommand     a script for shells, with Candidates for options
 *     Output          the option --json; prints a command's output, which is described once:
 *       Shown         names, values and texts; prints the texts
 *       JsonText      prints the names and values
 *     InputFile, OutputFile, StandardOutput   files, standard output, and their errors
 * </pre>
 */
@NullMarked
package io.github.jvhost.cli;

import org.jspecify.annotations.NullMarked;
