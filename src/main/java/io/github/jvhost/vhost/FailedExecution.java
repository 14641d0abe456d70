package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.vhost.plan.Execution;
import io.github.jvhost.vhost.plan.Outcome;
import io.github.jvhost.vhost.plan.Plan;
import java.util.List;

/**
 * The execution of a plan that could not begin, because there is no connection.
 *
 * @param plan that was to be carried out
 * @param failure why not
 */
record FailedExecution(Plan plan, VhostException failure) implements Execution {
  @Override
  public boolean advance(boolean ready) {
    return true;
  }

  @Override
  public void base(int step, int base) {
    // Nothing of it will be sent.
  }

  @Override
  public int number() {
    return -1;
  }

  @Override
  public void abandon(VhostException reason) {
    // It has failed already.
  }

  @Override
  public Outcome outcome() {
    long now = System.nanoTime();
    return new Outcome(0, 0, List.of(), null, List.of(), 0, 0, now, now, failure);
  }
}
