package io.github.jvhost.testkit;

import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringState;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.EventFd;
import io.github.jvhost.testkit.junit.MockBackEndExtension;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Tests that fail, each for one reason; {@link MockBackEndExtensionTest} runs them. */
class BadExamples {
  @RegisterExtension
  static final MockBackEndExtension backEnds = MockBackEndExtension.of(Personality.GENERIC);

  static void resizesARunningRing(TestFrontEnd guest) {
    guest.start();
    guest.channel.send(
        FrontEndRequest.SET_VRING_NUM,
        new VringState(1, 16),
        List.of(),
        false,
        TestFrontEnd.soon());
    guest.channel.flush(TestFrontEnd.soon());
  }

  @Test
  void breaksARule(MockBackEnd backEnd, DescriptorLedger ledger) {
    try (TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      resizesARunningRing(guest);
      guest.stop(0);
    }
  }

  @Test
  void breaksARuleAtTheEnd(MockBackEnd backEnd, DescriptorLedger ledger) {
    try (TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      resizesARunningRing(guest);
    }
  }

  @Test
  void isHungUpOn(MockBackEnd backEnd, DescriptorLedger ledger) {
    try (TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.channel.send(
          FrontEndRequest.SET_VRING_NUM,
          new VringState(0, 300),
          List.of(),
          false,
          TestFrontEnd.soon());
      guest.channel.flush(TestFrontEnd.soon());
    }
  }

  @Test
  void leaksADescriptor(MockBackEnd backEnd, DescriptorLedger ledger) {
    EventFd.create(ledger, "forgotten");
  }

  @Test
  void leavesItsConnectionOpen(MockBackEnd backEnd, DescriptorLedger ledger) {
    VhostUserChannel.connect(
        backEnd.socket(), "net0", backEnd.offer().dialect(), ledger, TestFrontEnd.soon());
  }

  @Test
  void failsByItself(MockBackEnd backEnd, DescriptorLedger ledger) {
    try (TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.negotiate();
      throw new AssertionError("by itself");
    }
  }

  @Test
  void failsAndBreaksARule(MockBackEnd backEnd, DescriptorLedger ledger) {
    try (TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      resizesARunningRing(guest);
      throw new AssertionError("by itself");
    }
  }

  @Test
  void talksMuch(MockBackEnd backEnd, DescriptorLedger ledger) {
    try (TestFrontEnd guest = new TestFrontEnd(backEnd, ledger)) {
      guest.negotiate();
      for (int i = 0; i < 300; i++) {
        guest.tell(FrontEndRequest.NET_SET_MTU, new U64(i));
      }
      throw new AssertionError("by itself");
    }
  }
}
