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
 * {@snippet file="io/github/jvhost/PackageExamples.java" region="trace"}
 */
@NullMarked
package io.github.jvhost.testkit.trace;

import org.jspecify.annotations.NullMarked;
