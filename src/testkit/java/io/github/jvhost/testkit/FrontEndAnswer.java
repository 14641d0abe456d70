package io.github.jvhost.testkit;

import io.github.jvhost.sys.OwnedDescriptor;
import java.util.List;

/**
 * What a front end answered on the back end's channel.
 *
 * @param result 0 for done; also where no answer was wanted
 * @param descriptors what came along, for whoever asked to close
 */
public record FrontEndAnswer(long result, List<OwnedDescriptor> descriptors)
    implements AutoCloseable {
  /** Copies the list. */
  public FrontEndAnswer {
    descriptors = List.copyOf(descriptors);
  }

  /** Closes what came along. */
  @Override
  public void close() {
    descriptors.forEach(OwnedDescriptor::close);
  }
}
