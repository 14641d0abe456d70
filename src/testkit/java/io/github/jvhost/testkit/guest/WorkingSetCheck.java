package io.github.jvhost.testkit.guest;

import java.util.List;

/**
 * The result of a check of the guest's working set.
 *
 * @param pages how many pages were checked
 * @param generation how often the set was changed since the guest booted
 * @param checksum over all pages: the same on source and destination when the guest did not run in
 *     between
 * @param problems one line for each page that is damaged, missing or old, and for each error in the
 *     table of the set; empty if there is none
 */
public record WorkingSetCheck(int pages, long generation, long checksum, List<String> problems) {
  /** Copies the list. */
  public WorkingSetCheck {
    problems = List.copyOf(problems);
  }

  /** {@return whether the check found no problem} */
  public boolean ok() {
    return problems.isEmpty();
  }
}
