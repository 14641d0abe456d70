package consumer.nic.test;

import consumer.nic.Nic;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Tries the program at a mock back end. */
public final class NicTest {
  private NicTest() {}

  public static void main(String[] args) throws IOException {
    Path directory = Files.createTempDirectory("jvhost-consumer");
    DescriptorLedger ledger = DescriptorLedger.tracing();
    try (MockBackEnd backEnd = MockBackEnd.builder(directory.resolve("s"), ledger).start()) {
      require(Nic.startAndStop(backEnd.socket(), ledger), "the device runs");
      require(backEnd.record().violations().isEmpty(), "no rule of the specification is broken");
      require(backEnd.record().count(FrontEndRequest.GET_VRING_BASE) == 2, "two rings stopped");
      System.out.println("the back end got " + backEnd.record().messages().size() + " messages");
    } finally {
      Files.delete(directory);
    }
    require(ledger.openCount() == 0, "no descriptor left: " + ledger.describeOpen());
  }

  private static void require(boolean holds, String what) {
    if (!holds) {
      throw new IllegalStateException("not so: " + what);
    }
  }
}
