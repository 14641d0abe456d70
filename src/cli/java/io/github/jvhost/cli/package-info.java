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
 *       MockSummary         for people and for programs
 *     ProbeCommand          -> BackEndProbe, once
 *     ProxyCommand          -> Relay, until a signal ends it; CaptureQueue -> lines, CaptureWriter
 *       ProxySummary        for people and for programs
 *     TraceCommand          CaptureReader -> TracedSession, WhatIf
 *       TraceText, TraceJson
 *     CompletionCommand     a script for shells, with Candidates for options
 *     InputFile, OutputFile, StandardOutput   what is read and written, and why it could not be
 * </pre>
 */
@NullMarked
package io.github.jvhost.cli;

import org.jspecify.annotations.NullMarked;
