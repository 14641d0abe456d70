package io.github.jvhost.mediate.keep;

import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.sys.OwnedDescriptor;
import io.github.jvhost.sys.io.Poller;
import io.github.jvhost.sys.io.SocketIo;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.newsclub.net.unix.AFUNIXDatagramChannel;
import org.newsclub.net.unix.AFUNIXSocketAddress;
import org.newsclub.net.unix.FileDescriptorCast;

/** The receiving end of sd_notify, as far as a test needs it. */
final class ServiceManager implements AutoCloseable {
  private final AFUNIXDatagramChannel socket;
  private final String address;
  private final DescriptorLedger ledger;
  private final SocketIo io = new SocketIo("service manager");

  /** What came with one datagram; the descriptors belong to the test. */
  record Notice(List<String> assignments, List<OwnedDescriptor> descriptors)
      implements AutoCloseable {
    @Override
    public void close() {
      descriptors.forEach(OwnedDescriptor::close);
    }
  }

  private ServiceManager(AFUNIXDatagramChannel socket, String address, DescriptorLedger ledger) {
    this.socket = socket;
    this.address = address;
    this.ledger = ledger;
  }

  static ServiceManager at(String address, DescriptorLedger ledger) {
    try {
      var socket = AFUNIXDatagramChannel.open();
      socket.bind(
          address.startsWith("@")
              ? AFUNIXSocketAddress.inAbstractNamespace(address.substring(1))
              : AFUNIXSocketAddress.of(Path.of(address)));
      return new ServiceManager(socket, address, ledger);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The next datagram. */
  Notice next() {
    try (Arena arena = Arena.ofConfined();
        Poller poller = new Poller(1)) {
      int number = FileDescriptorCast.using(socket.getFileDescriptor()).as(Integer.class);
      poller.add(number, Poller.IN);
      poller.await(TimeUnit.SECONDS.toNanos(20));
      MemorySegment buffer = arena.allocate(4096);
      List<OwnedDescriptor> arrived = new ArrayList<>();
      int count = io.receive(number, buffer, 0, 4096, ledger, arrived);
      byte[] bytes = buffer.asSlice(0, Math.max(0, count)).toArray(ValueLayout.JAVA_BYTE);
      return new Notice(new String(bytes, StandardCharsets.UTF_8).lines().toList(), arrived);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    try {
      socket.close();
      if (address.startsWith("/")) {
        Files.deleteIfExists(Path.of(address));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
