package io.github.jvhost.mediate;

import io.github.jvhost.mediate.peer.GuestRam;
import io.github.jvhost.mediate.peer.Hint;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.io.PeerCredentials;
import java.time.Duration;

/**
 * What somebody has predicted of a device that has not started here yet. Guest memory may come
 * later than the front end's connection, so it is looked for several times. One thread at a time.
 */
final class Prediction {
  private static final Duration PAUSE = Duration.ofMillis(100);
  private static final int MOST_ATTEMPTS = 50;

  private final Hint.Content content;
  private final String from;
  private Deadline next = Deadline.after(Duration.ZERO);
  private int attempts;

  /**
   * A prediction that was not used yet.
   *
   * @param from who has made it, for the operator
   */
  Prediction(Hint.Content content, String from) {
    this.content = content;
    this.from = from;
  }

  /** {@return the same prediction for another switch} */
  Prediction again() {
    return new Prediction(content, from);
  }

  Hint.Content content() {
    return content;
  }

  String from() {
    return from;
  }

  /** {@return how long until memory is to be looked for again, in nanoseconds} */
  long nanosLeft() {
    return next.remainingNanos();
  }

  /** {@return whether it is no use to look again} */
  boolean isHopeless() {
    return attempts >= MOST_ATTEMPTS;
  }

  /**
   * Looks for the files of guest memory.
   *
   * @param place where to look
   * @param socket of the front end
   * @param connected whether the mediator has connected to the front end, and not the other way
   */
  GuestRam.Result find(
      GuestRamPlace place, int socket, boolean connected, DescriptorLedger ledger) {
    attempts++;
    next = Deadline.after(PAUSE);
    GuestRam.Source source =
        switch (place) {
          case GuestRamPlace.FrontEnd _ -> new GuestRam.Peer(PeerCredentials.of(socket), connected);
          case GuestRamPlace.Files(var paths) -> new GuestRam.Paths(paths);
          case GuestRamPlace.PidFile(var path) -> new GuestRam.PidFile(path);
        };
    return GuestRam.find(source, content.fileSizes(), ledger);
  }
}
