/**
 * Messages as lines of text, for people who watch a connection and for comparing two conversations.
 *
 * <pre>
 *   RecordedMessage --MessageLine--&gt; "-&gt; SET_VRING_NUM          fl=0x01 sz=8   fds=0 vq=0 num=256"
 *                                     |     |                    |      |      |     |
 *                              direction   name              flags  payload  descriptors, payload decoded
 *                                                                   bytes
 * </pre>
 *
 * <p>A capture is the recorded traffic of a {@link io.github.jvhost.channel.backend.Relay} between
 * a front end and a back end. It is written while the relay runs, and analysed afterwards:
 *
 * <pre>
 *   Relay --RelayedMessage--&gt; CaptureQueue --CaptureEntry--&gt; CaptureLine     a line for people
 *             (RelayCounts)   MessageDecoder            \--&gt; CaptureWriter   a file
 *
 *   CaptureReader --Capture--&gt; TracedSession: PhaseTracker, replies paired   what each phase cost
 *                                   \--&gt; WhatIf                              with presetup: modelled
 * </pre>
 *
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="trace"}
 */
@NullMarked
package io.github.jvhost.testkit.trace;

import org.jspecify.annotations.NullMarked;
