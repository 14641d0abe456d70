package io.github.jvhost.testing;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.BackEndOffer;
import io.github.jvhost.testkit.Faults;
import io.github.jvhost.testkit.MockBackEnd;
import io.github.jvhost.testkit.Personality;
import io.github.jvhost.testkit.junit.MockBackEndExtension;
import io.github.jvhost.testkit.junit.MockBackEnds;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class UnusualBackEndsTest {
  @RegisterExtension
  static final MockBackEndExtension backEnds = MockBackEndExtension.of(Personality.DPDK);

  // guide: unusual back ends
  @Test
  void aLostBackEndIsNotTheEnd(MockBackEnd backEnd, DescriptorLedger ledger) {
    backEnd.arm(
        Faults.none().at(FrontEndRequest.SET_MEM_TABLE, 1, new Faults.Wrong.HangUpBefore()));
    try (MyVmm vmm = new MyVmm(backEnd.socket(), ledger)) {
      vmm.boot(); // the guest's driver notices nothing
      assertFalse(vmm.connected());

      vmm.reconnect(); // the fault was for the first table only

      assertTrue(backEnd.isRunning());
    }
  }

  @Test
  void oneQueuePairIsEnough(MockBackEnds others) {
    BackEndOffer small = BackEndOffer.of(Personality.RUST_VMM).withQueuePairs(1);
    MockBackEnd backEnd = others.start(wanted -> wanted.offer(small));
    try (MyVmm vmm = new MyVmm(backEnd.socket(), others.ledger())) {
      vmm.boot();

      assertTrue(backEnd.isRunning());
    }
  }
  // guide: end
}
