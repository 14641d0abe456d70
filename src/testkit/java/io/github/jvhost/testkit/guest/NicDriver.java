package io.github.jvhost.testkit.guest;

import io.github.jvhost.VhostException;
import io.github.jvhost.testkit.net.EchoPayload;
import io.github.jvhost.testkit.net.Ipv4Address;
import io.github.jvhost.testkit.net.Packet;
import io.github.jvhost.testkit.net.PingSeries;
import io.github.jvhost.virtio.ControlCommand;
import io.github.jvhost.virtio.DeviceStatus;
import io.github.jvhost.virtio.MacAddress;
import io.github.jvhost.virtio.NetFeature;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The driver of one NIC, with a small network stack above it. All state that has to survive this
 * object is in the {@link NicBlock} and in the queues. Only the guest's thread uses it; any thread
 * may read the counters.
 */
final class NicDriver {
  private final NicBlock block;
  private final int index;
  private final GuestNic nic;
  private final PingSeries series;
  private final Consumer<String> problems;
  private final BootBlock boot;
  private final AtomicLong answeredEchoes = new AtomicLong();
  private final AtomicLong announcements = new AtomicLong();
  private final List<Predicate<ControlQueue.Done>> waiters = new ArrayList<>();

  /**
   * Commands that wait for the queue. They are not in guest memory, and stay where this guest is.
   */
  private final Queue<Other> others = new ArrayDeque<>();

  private NicQueues queues;
  private boolean damaged;

  private record Other(long number, ControlCommand command) {}

  private NicDriver(
      BootBlock boot,
      int index,
      GuestNic nic,
      PingSeries series,
      Consumer<String> problems,
      NicQueues queues) {
    this.boot = boot;
    this.block = boot.nic(index);
    this.index = index;
    this.nic = nic;
    this.series = series;
    this.problems = problems;
    this.queues = queues;
  }

  /** Starts the device from scratch. */
  static NicDriver boot(
      BootBlock boot, int index, GuestNic nic, PingSeries series, Consumer<String> problems) {
    NicBlock block = boot.nic(index);
    block.ip(new Ipv4Address(boot.settings().firstIp().value() + index));
    block.maxPairs(nic.device().maxQueuePairs());
    block.wantedPairs(Math.min(boot.settings().queuePairs(), block.maxPairs()));
    return new NicDriver(boot, index, nic, series, problems, initialise(boot, block, nic, null));
  }

  /** Continues with a device that a driver in this memory started. */
  static NicDriver attach(
      BootBlock boot, int index, GuestNic nic, PingSeries series, Consumer<String> problems) {
    NicBlock block = boot.nic(index);
    int most = nic.device().maxQueuePairs();
    if (block.maxPairs() != most
        || block.setUpPairs() < 1
        || block.setUpPairs() > most
        || block.pairs() < 1
        || block.pairs() > block.setUpPairs()) {
      throw boot.ram()
          .failure(
              "NIC "
                  + index
                  + " has "
                  + block.maxPairs()
                  + " queue pairs in memory and "
                  + most
                  + " in its device");
    }
    Dma dma = Dma.of(boot.ram(), boot.settings(), block, nic);
    return new NicDriver(
        boot, index, nic, series, problems, NicQueues.attach(boot.ram(), block, dma));
  }

  /**
   * The order of virtio 1.2, 3.1.1.
   *
   * @param before the queues that the device had; null at boot
   */
  private static NicQueues initialise(
      BootBlock boot, NicBlock block, GuestNic nic, @Nullable NicQueues before) {
    int found = DeviceStatus.ACKNOWLEDGE | DeviceStatus.DRIVER;
    long wanted = boot.settings().wantedFeatures();
    nic.access()
        .registers(() -> {
          nic.device().setStatus(0);
          nic.device().setStatus(found);
          block.features(nic.device().deviceFeatures() & wanted);
          nic.device().setDriverFeatures(block.features());
          nic.device().setStatus(found | DeviceStatus.FEATURES_OK);
          if ((nic.device().status() & DeviceStatus.FEATURES_OK) == 0) {
            throw boot.ram()
                .failure(nic.device().name() + " refuses " + NetFeature.describe(block.features()));
          }
          block.mac(MacAddress.of(nic.device().readConfig(0, MacAddress.SIZE), 0));
        });
    boolean multiqueue = NetFeature.MQ.in(block.features());
    block.wantedMac(block.mac());
    block.headerBytes(NetFeature.VERSION_1.in(block.features()) ? 12 : 10);
    block.setUpPairs(multiqueue ? block.maxPairs() : 1);
    block.pairs(1);
    block.wantedPairs(multiqueue ? block.wantedPairs() : 1);
    block.announceSteps(0);
    if (before != null) {
      before.unmap();
    }
    Dma dma = Dma.of(boot.ram(), boot.settings(), block, nic);
    NicQueues queues = NicQueues.create(boot.ram(), block, boot.settings(), dma);
    queues.rx().getFirst().fill();
    nic.access()
        .registers(() -> {
          for (int i = 0; i < queues.count(); i++) {
            DriverRing ring = queues.ring(i);
            long unit = ring.desc();
            nic.device()
                .configureQueue(
                    i,
                    ring.size(),
                    dma.address(unit, ring.desc()),
                    dma.address(unit, ring.avail()),
                    dma.address(unit, ring.used()));
          }
          nic.device().setStatus(DeviceStatus.RUNNING);
        });
    return queues;
  }

  /** Resets the device and starts it again. Pending frames and commands are given up. */
  void resetAndReinitialise() {
    series.abandonUnanswered();
    queues = initialise(boot, block, nic, queues);
    damaged = false;
  }

  NicBlock block() {
    return block;
  }

  NicQueues queues() {
    return queues;
  }

  long answeredEchoes() {
    return answeredEchoes.get();
  }

  long announcements() {
    return announcements.get();
  }

  /** Gives a command when the queue is free. */
  void command(long number, ControlCommand command) {
    others.add(new Other(number, command));
  }

  /** Passes each answered command to the waiter until the waiter returns true. */
  void whenControlDone(Predicate<ControlQueue.Done> waiter) {
    waiters.add(waiter);
  }

  /**
   * Sends the next ping, on the queue pairs in turn. If the ring is full, it skips this ping and
   * does not use up its number.
   */
  void ping() {
    guarded(() -> {
      long sequence = block.nextSequence();
      TxQueue tx = queues.tx().get((int) (sequence % block.pairs()));
      if (!tx.hasRoom()) {
        return;
      }
      byte[] frame =
          new Packet.Echo(
                  boot.peerMac(),
                  block.mac(),
                  block.ip(),
                  boot.peerIp(),
                  false,
                  index,
                  (int) (sequence & 0xffff),
                  new EchoPayload(tag(), sequence, boot.settings().payloadBytes()).encode())
              .encode();
      series.sent(sequence);
      block.nextSequence(sequence + 1);
      tx.send(frame, block.headerBytes());
    });
  }

  /** Handles the frames of a receive ring whose call was signalled. */
  void receive(int pair) {
    if (pair >= queues.rx().size()) {
      return;
    }
    guarded(() ->
        queues
            .rx()
            .get(pair)
            .receive(block.headerBytes(), frame -> handle(pair, frame), this::corrupt));
  }

  void verifyMailboxes(Consumer<String> found) {
    queues.rx().forEach(rx -> rx.verifyMailbox(what -> found.accept(name() + ": " + what)));
  }

  /** Handles the configuration interrupt. */
  void configChanged() {
    if (!NetFeature.STATUS.in(block.features())) {
      return;
    }
    byte[] status = new byte[2];
    nic.access().registers(() -> System.arraycopy(nic.device().readConfig(6, 2), 0, status, 0, 2));
    // Bit 1: ANNOUNCE. While an acknowledgement is pending, the bit still belongs to the same
    // request.
    ControlQueue control = queues.control();
    if ((status[0] & 2) != 0
        && control != null
        && control.underWay() != ControlQueue.Kind.ANNOUNCE_ACK) {
      block.announceSteps(NicBlock.SEND | NicBlock.ACKNOWLEDGE);
    }
  }

  /** Takes the next step of an announcement to the network, or of a command to the device. */
  void advance() {
    guarded(() -> {
      int steps = block.announceSteps();
      if ((steps & NicBlock.SEND) != 0) {
        byte[] frame = Packet.Arp.gratuitous(block.mac(), block.ip()).encode();
        if (queues.tx().getFirst().send(frame, block.headerBytes())) {
          block.announceSteps(steps & ~NicBlock.SEND);
          announcements.incrementAndGet();
        }
      }
      ControlQueue control = queues.control();
      if (control != null) {
        advance(control);
      }
    });
  }

  private void advance(ControlQueue control) {
    ControlQueue.Done done = control.poll();
    if (done != null) {
      controlDone(done);
    }
    if (control.underWay() != ControlQueue.Kind.NONE) {
      return;
    }
    if (block.announceSteps() == NicBlock.ACKNOWLEDGE) {
      block.announceSteps(0);
      control.postAnnounceAck();
      given(control);
    } else if (!block.wantedMac().equals(block.mac())) {
      MacAddress mac = block.wantedMac();
      control.post(ControlQueue.Kind.SET_MAC, mac.value(), new ControlCommand.Mac(mac));
      given(control);
    } else if (block.wantedPairs() != block.pairs()) {
      // The device may use the new rings as soon as it receives the command, so their buffers come
      // first.
      for (int i = block.pairs(); i < Math.min(block.wantedPairs(), block.setUpPairs()); i++) {
        queues.rx().get(i).fill();
      }
      int pairs = block.wantedPairs();
      control.post(ControlQueue.Kind.SET_PAIRS, pairs, new ControlCommand.QueuePairs(pairs));
      given(control);
    } else if (!others.isEmpty()) {
      Other next = others.remove();
      control.post(ControlQueue.Kind.OTHER, next.number, next.command);
      given(control);
    }
  }

  private void given(ControlQueue control) {
    nic.access().controlKick();
    // A device may answer within this call, without an interrupt. Otherwise it signals the call
    // later.
    ControlQueue.Done done = control.poll();
    if (done != null) {
      controlDone(done);
    }
  }

  private void controlDone(ControlQueue.Done done) {
    switch (done.kind()) {
      case SET_PAIRS -> {
        if (done.accepted()) {
          changePairs((int) done.argument());
        } else if (block.wantedPairs() == done.argument()) {
          block.wantedPairs(block.pairs());
        }
      }
      case SET_MAC -> {
        if (done.accepted()) {
          block.mac(new MacAddress(done.argument()));
          block.announceSteps(block.announceSteps() | NicBlock.SEND);
        } else if (block.wantedMac().value() == done.argument()) {
          block.wantedMac(block.mac());
        }
      }
      case NONE, ANNOUNCE_ACK, OTHER -> {
        // The guest's state does not change.
      }
    }
    if (!done.accepted() && done.kind() != ControlQueue.Kind.OTHER) {
      problems.accept(name() + ": the device refused " + done.kind() + " " + done.argument());
    }
    waiters.removeIf(waiter -> waiter.test(done));
  }

  /** Frames that are still in the transmit rings of disabled pairs are not sent. */
  private void changePairs(int pairs) {
    int before = block.pairs();
    block.pairs(pairs);
    series.abandonUnanswered(sequence -> sequence % before >= pairs);
  }

  /** Signals the kicks of the rings that were posted to. */
  void kick() {
    for (int i = 0; i < queues.rx().size(); i++) {
      if (queues.rx().get(i).takeKick()) {
        nic.kick(2 * i).signal();
      }
      if (queues.tx().get(i).takeKick()) {
        nic.kick(2 * i + 1).signal();
      }
    }
  }

  private void handle(int pair, byte[] frame) {
    Packet packet = Packet.parse(frame).orElse(null);
    switch (packet) {
      case null -> corrupt("a frame of " + frame.length + " bytes that makes no sense");
      case Packet.Echo echo when !echo.to().equals(block.ip()) -> {
        // The switch floods frames: this one is for another station.
      }
      case Packet.Echo echo when echo.reply() ->
          EchoPayload.parse(echo.payload())
              .filter(payload -> payload.tag() == tag() && echo.identifier() == index)
              .ifPresentOrElse(
                  payload -> series.answered(payload.sequence()),
                  () -> corrupt("an echo reply with other bytes than the request"));
      case Packet.Echo echo -> {
        if (EchoPayload.parse(echo.payload()).isEmpty()) {
          corrupt("an echo request with damaged bytes");
        }
        reply(pair, echo.answer(block.mac()));
      }
      case Packet.Arp arp
          when arp.operation() == 1 && arp.targetIp().equals(block.ip()) && !arp.announces() ->
          reply(pair, arp.answer(block.mac()));
      case Packet.Arp _, Packet.Rarp _, Packet.Other _ -> {
        // Not for this guest.
      }
    }
  }

  private void reply(int pair, Packet packet) {
    TxQueue tx = queues.tx().get(Math.min(pair, block.pairs() - 1));
    if (tx.send(packet.encode(), block.headerBytes())) {
      answeredEchoes.incrementAndGet();
    }
  }

  /**
   * Runs work on a ring. If the ring's contents are invalid, the driver does not use it until the
   * device is reset.
   */
  private void guarded(Runnable work) {
    if (damaged) {
      return;
    }
    try {
      work.run();
    } catch (VhostException e) {
      damaged = true;
      series.corrupt();
      problems.accept(name() + ": " + e.getMessage());
    }
  }

  private void corrupt(String what) {
    series.corrupt();
    problems.accept(name() + ": " + what);
  }

  private int tag() {
    return 0x10000 | index;
  }

  String name() {
    return "NIC " + index;
  }
}
