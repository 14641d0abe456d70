package io.github.jvhost.mediate.peer;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Keeps what a link tells, in its order. */
final class LinkListener implements PeerLink.Listener {
  static final String CONNECTED = "connected";
  private static final long LONGEST_SECONDS = 20;

  private final LinkedBlockingQueue<Object> told = new LinkedBlockingQueue<>();

  @Override
  public void connected() {
    told.add(CONNECTED);
  }

  @Override
  public void received(Hint hint) {
    told.add(hint);
  }

  @Override
  public void lost(String reason) {
    told.add("lost: " + reason);
  }

  /** What comes next, whenever it comes. */
  Object next() throws InterruptedException {
    Object next = told.poll(LONGEST_SECONDS, TimeUnit.SECONDS);
    assertThat(next).as("the link tells something").isNotNull();
    return next;
  }

  @Nullable Object nextIfAny() {
    return told.poll();
  }

  /** What comes next within a moment. */
  @Nullable Object nextSoon() throws InterruptedException {
    return told.poll(20, TimeUnit.MILLISECONDS);
  }
}
