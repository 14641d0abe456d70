/**
 * Messages as lines of text, for people who look over a connection's shoulder and for comparing two
 * conversations.
 *
 * <pre>
 *   RecordedMessage --MessageLine--&gt; "-&gt; SET_VRING_NUM          fl=0x01 sz=8   fds=0 vq=0 num=256"
 *                                     |     |                    |      |      |     |
 *                              direction   name              flags  payload  descriptors, payload decoded
 *                                                                   bytes
 * </pre>
 *
 * <p>A capture is what a {@link io.github.jvhost.channel.backend.Relay} between a front end and a
 * back end saw, written down while it grows, and looked at afterwards:
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
