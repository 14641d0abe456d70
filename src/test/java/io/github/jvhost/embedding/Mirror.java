package io.github.jvhost.embedding;

import io.github.jvhost.protocol.ProtocolFeature;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.net.ReflectingPort;
import java.nio.file.Path;

/**
 * What {@code jvhost mock-back-end} is: every frame comes back to its sender. It sends no RARP when
 * a guest has moved, because that would come back, too, and take the buffer of what is waited for.
 */
public final class Mirror {
  private Mirror() {}

  public static MockBackEnd start(Path socket, DescriptorLedger ledger) {
    return MockBackEnd.builder(socket, ledger)
        .offer(BackEndOffer.of(Personality.GENERIC).without(ProtocolFeature.RARP))
        .port(new ReflectingPort("mirror", 64))
        .start();
  }
}
