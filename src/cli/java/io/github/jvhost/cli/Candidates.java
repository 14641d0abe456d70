package io.github.jvhost.cli;

import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.scenario.Change;
import io.github.jvhost.testkit.scenario.Failure;
import io.github.jvhost.testkit.scenario.Variant;
import io.github.jvhost.testkit.trace.SessionPhase;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;

/**
 * The words that a shell completes for an option. picocli takes them as a class, so there is one
 * class for each kind of option. The commands themselves decide which words they accept.
 */
final class Candidates {
  private Candidates() {}

  /** The words of one kind. */
  abstract static class Kind implements Iterable<String> {
    private final List<String> words;

    Kind(Stream<String> words) {
      this.words = words.toList();
    }

    Kind(String... words) {
      this(Arrays.stream(words));
    }

    Kind(Enum<?>[] values) {
      this(Arrays.stream(values).map(Words::label));
    }

    @Override
    public Iterator<String> iterator() {
      return words.iterator();
    }
  }

  static final class Personalities extends Kind {
    Personalities() {
      super(Personality.values());
    }
  }

  static final class Profiles extends Kind {
    Profiles() {
      super("generic", "dpdk", "vfe", "libvhost-user", "rust-vmm");
    }
  }

  static final class Dialects extends Kind {
    Dialects() {
      super(Words.DIALECTS.stream().map(Words::label));
    }
  }

  /** The dialects that have PRESETUP. */
  static final class ExplicitDialects extends Kind {
    ExplicitDialects() {
      super(Words.DIALECTS.stream().filter(Dialect::hasPresetup).map(Words::label));
    }
  }

  /** The names that can be given instead of a file. */
  static final class HardwareModels extends Kind {
    HardwareModels() {
      super("rfc", "locked-memory", "none");
    }
  }

  static final class Variants extends Kind {
    Variants() {
      super(Stream.concat(Stream.of("all"), Arrays.stream(Variant.values()).map(Variant::label)));
    }
  }

  static final class Changes extends Kind {
    Changes() {
      super(Change.values());
    }
  }

  static final class Failures extends Kind {
    Failures() {
      super(Failure.values());
    }
  }

  static final class DemoBackEnds extends Kind {
    DemoBackEnds() {
      super("mock", "dpdk", "vhost-net");
    }
  }

  static final class PlanBackEnds extends Kind {
    PlanBackEnds() {
      super("explicit", "dpdk", "generic", "vhost-net", "vdpa", "vdpa-explicit");
    }
  }

  static final class DeviceKinds extends Kind {
    DeviceKinds() {
      super("net", "other");
    }
  }

  static final class Requests extends Kind {
    Requests() {
      super(FrontEndRequest.values());
    }
  }

  static final class Directions extends Kind {
    Directions() {
      super(TraceFilter.DIRECTIONS.stream());
    }
  }

  static final class Phases extends Kind {
    Phases() {
      super(SessionPhase.values());
    }
  }
}
