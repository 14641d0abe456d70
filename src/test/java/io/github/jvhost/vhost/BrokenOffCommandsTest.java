package io.github.jvhost.vhost;

import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.ControlState;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * A device may refuse any command, and goes on with what it held. So after each command it is known
 * what the device holds, and the next commands begin there.
 */
class BrokenOffCommandsTest {
  private static final int CHAINS = 2_000;
  private static final int PAIRS = 4;
  private static final MacAddress OWN = new MacAddress(1);

  @Test
  void theNextCommandsBeginWhereTheLastOnesBrokeOff() {
    long seed = new SplittableRandom().nextLong();
    SplittableRandom seeds = new SplittableRandom(seed);
    for (int chain = 0; chain < CHAINS; chain++) {
      long chainSeed = seeds.nextLong();
      chain(new SplittableRandom(chainSeed), "chain seed %dL".formatted(chainSeed));
    }
  }

  private static void chain(SplittableRandom random, String story) {
    long features =
        NetFeature.MQ.mask()
            | (random.nextLong() & (NetFeature.COMMANDS | ToldCommands.OFFLOADS))
            | NetFeature.CTRL_MAC_ADDR.mask();
    var device = new ToldCommands(random, Optional.of(OWN));
    device.negotiated(features);
    ControlState held = RandomConfigs.control(random, features, PAIRS);
    for (ControlCommand command : held.commandsFrom(null, features)) {
      device.take(command, story);
    }
    for (int i = 0; i < 4; i++) {
      ControlState wanted = RandomConfigs.control(random, features, PAIRS);
      List<ControlCommand> commands = wanted.commandsFrom(held, features);
      int taken = random.nextInt(commands.size() + 1);
      for (ControlCommand command : commands.subList(0, taken)) {
        device.take(command, story);
        held = held.after(command);
      }
      held = taken == commands.size() ? wanted : held;
    }
    ControlState wanted = RandomConfigs.control(random, features, PAIRS);
    for (ControlCommand command : wanted.commandsFrom(held, features)) {
      device.take(command, story);
    }
    device.check(wanted, features, story);
  }
}
