package io.github.jvhost.vhost;

import io.github.jvhost.VhostException;
import io.github.jvhost.channel.VhostUserChannel;
import io.github.jvhost.protocol.Dialect;
import io.github.jvhost.sys.Deadline;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.vhost.kernel.VhostNetConnection;
import io.github.jvhost.vhost.kernel.VhostVdpaConnection;
import io.github.jvhost.vhost.plan.BackEndCapabilities;
import io.github.jvhost.vhost.plan.BackEndProtocol;
import io.github.jvhost.vhost.plan.Carrier;
import io.github.jvhost.vhost.plan.MissHandler;
import io.github.jvhost.vhost.user.VhostUserConnection;
import java.nio.file.Path;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * Makes the connection that an address stands for: over a socket, or to the kernel. Another kind of
 * carrier is another address, and a case here. Everything else in this package knows a back end
 * through its {@link Carrier} alone, but for {@link RehearsalDevice}, whose back end is simulated.
 */
final class Carriers {
  private Carriers() {}

  /**
   * Connects and asks the back end what it can do. Nothing of a guest is sent yet.
   *
   * @param call signals the call of a ring whose notifications come as messages
   * @param misses answers a back end that lacks a translation
   * @throws VhostException if it is not there (RETRY), or if what answers is no back end
   */
  static Carrier open(VhostDeviceOptions options, IntConsumer call, MissHandler misses) {
    return switch (options.address()) {
      case BackEndAddress.OfVhostUser where -> vhostUser(where, options, call, misses);
      case BackEndAddress.Tap(String tap, int queuePairs) ->
          VhostNetConnection.toTap(options.name(), options.ledger(), tap, queuePairs);
      case BackEndAddress.TapQueues(List<OwnedDescriptor> queues) ->
          VhostNetConnection.toQueues(options.name(), options.ledger(), queues);
      case BackEndAddress.Vdpa(Path node, boolean startsEarly) ->
          VhostVdpaConnection.open(
              options.name(), options.ledger(), node, startsEarly, options.connectWithin());
    };
  }

  /**
   * Makes a connection of the kernel's kind for a rehearsal; its calls do nothing.
   *
   * @param can of the real one
   */
  static Carrier rehearsed(VhostDeviceOptions options, BackEndCapabilities can) {
    return switch (can.protocol()) {
      case BackEndProtocol.VhostNet _ ->
          VhostNetConnection.rehearsed(options.name(), options.ledger(), can);
      case BackEndProtocol.VhostVdpa _ ->
          VhostVdpaConnection.rehearsed(options.name(), options.ledger(), can);
      case BackEndProtocol.VhostUser _ ->
          throw new IllegalArgumentException("a vhost-user back end is rehearsed with a peer");
    };
  }

  private static Carrier vhostUser(
      BackEndAddress.OfVhostUser where,
      VhostDeviceOptions options,
      IntConsumer call,
      MissHandler misses) {
    VhostUserChannel channel =
        channel(
            where,
            options.name(),
            options.dialect(),
            options.ledger(),
            Deadline.after(options.connectWithin()));
    if (options.observer() == RecordsNothing.OBSERVER) {
      channel.unrecorded();
    }
    channel.replyDeadlines(options.replies());
    return VhostUserConnection.over(channel, settings(options, call, misses));
  }

  /**
   * Goes on with a connection on which everything was negotiated already.
   *
   * @param socket taken over, also if this fails
   * @param capabilities what was negotiated
   */
  static Carrier resume(
      VhostDeviceOptions options, OwnedDescriptor socket, BackEndCapabilities capabilities) {
    VhostUserChannel channel =
        VhostUserChannel.adopt(socket, options.name(), options.dialect(), options.ledger());
    channel.replyDeadlines(options.replies());
    return VhostUserConnection.resume(
        channel, settings(options, _ -> {}, MissHandler.NONE), capabilities);
  }

  private static VhostUserConnection.Settings settings(
      VhostDeviceOptions options, IntConsumer call, MissHandler misses) {
    return new VhostUserConnection.Settings(
        options.profile(),
        options.ledger(),
        options.protocolFeatures(),
        options.events(),
        call,
        misses,
        options.connectWithin());
  }

  /**
   * Makes a vhost-user connection.
   *
   * @param where the back end is; the socket of a {@link BackEndAddress.Connected} is taken over,
   *     also if this fails
   */
  static VhostUserChannel channel(
      BackEndAddress.OfVhostUser where,
      String name,
      Dialect dialect,
      DescriptorLedger ledger,
      Deadline deadline) {
    return switch (where) {
      case BackEndAddress.Socket(Path path) ->
          VhostUserChannel.connect(path, name, dialect, ledger, deadline);
      case BackEndAddress.Listening(FrontEndListener listener) ->
          VhostUserChannel.accept(listener.socket(), name, dialect, ledger, deadline);
      case BackEndAddress.Connected(OwnedDescriptor socket) ->
          VhostUserChannel.adopt(socket, name, dialect, ledger);
    };
  }
}
