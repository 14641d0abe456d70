package io.github.jvhost.testkit.guest;

import java.util.List;

/**
 * What a look at the guest's working set found.
 *
 * @param pages that were looked at
 * @param generation how often the set was changed since the guest booted
 * @param checksum over all pages: the same on source and destination when the guest did not run in
 *     between
 * @param problems one line for each page that is damaged, missing or old, and for each way in which
 *     the table of the set is wrong; empty when all is right
 */
public record WorkingSetCheck(int pages, long generation, long checksum, List<String> problems) {
  /** Copies the list. */
  public WorkingSetCheck {
    problems = List.copyOf(problems);
  }

  /** {@return whether every page is what it has to be} */
  public boolean ok() {
    return problems.isEmpty();
  }
}
