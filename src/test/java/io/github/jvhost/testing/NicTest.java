package io.github.jvhost.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.junit.MockBackEndExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

// guide: a test of a VMM
class NicTest {
  @RegisterExtension
  static final MockBackEndExtension backEnds = MockBackEndExtension.of(Personality.DPDK);

  @Test
  void theDriversRingsAreServed(MockBackEnd backEnd, DescriptorLedger ledger) {
    try (MyVmm vmm = new MyVmm(backEnd.socket(), ledger)) {
      vmm.boot();

      assertTrue(backEnd.ring(1).orElseThrow().started());
      assertEquals(2, backEnd.record().count(FrontEndRequest.SET_VRING_KICK));
    }
  }
}
// guide: end
