package io.github.jvhost.bench;

import io.github.jvhost.VhostException;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/** Rows that are filled in together, so that all of them are there whatever happens. */
record Questions(List<Question> rows) {
  Questions {
    rows = List.copyOf(rows);
  }

  static Questions of(Question... rows) {
    return new Questions(List.of(rows));
  }

  /** The answers; where measuring fails, all rows say so. */
  List<BenchRow> ask(Supplier<List<BenchRow>> answers) {
    try {
      return answers.get();
    } catch (VhostException e) {
      return all(new Measured.Failed(String.valueOf(e.getMessage())));
    }
  }

  /**
   * The answers of somebody who needs peer.c; where it cannot be built, all rows say so. Front ends
   * and back ends have a core each.
   */
  List<BenchRow> askWithPeer(Function<PeerProgram, List<BenchRow>> answers) {
    return askWithPeer(Cores::split, answers);
  }

  /** The same, with nobody moved to a core: the back end is a program that needs more than one. */
  List<BenchRow> askWithPeerAnywhere(Function<PeerProgram, List<BenchRow>> answers) {
    return askWithPeer(Cores::shared, answers);
  }

  private List<BenchRow> askWithPeer(
      Supplier<Cores> placed, Function<PeerProgram, List<BenchRow>> answers) {
    Optional<String> missing = PeerProgram.missing();
    if (missing.isPresent()) {
      return all(new Measured.Not(missing.get()));
    }
    try (Cores cores = placed.get()) {
      PeerProgram program;
      try {
        program = PeerProgram.build(cores);
      } catch (VhostException e) {
        return all(new Measured.Not(String.valueOf(e.getMessage())));
      }
      try (program) {
        return ask(() -> answers.apply(program));
      }
    }
  }

  /** The same answer for all rows. */
  List<BenchRow> all(Measured same) {
    return rows.stream().map(row -> row.is(same)).toList();
  }
}
