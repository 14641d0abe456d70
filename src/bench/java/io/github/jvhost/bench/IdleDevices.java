package io.github.jvhost.bench;

import io.github.jvhost.Recovery;
import io.github.jvhost.VhostException;
import io.github.jvhost.sys.DescriptorLedger;
import io.github.jvhost.testkit.process.ChildProcess;
import io.github.jvhost.vhost.StartOrder;
import io.github.jvhost.vhost.VhostNet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The threads and memory of devices that run while nothing happens. They are measured in a separate
 * JVM: a JVM that has connected devices before reuses their memory, so that new devices would seem
 * to need none.
 *
 * <p>All of the heap there is touched at the start, so that what becomes resident later is outside
 * of it.
 *
 * @param threads that came with them
 * @param heapBytes of live objects, of all devices
 * @param nativeBytes outside of the heap, of all devices
 */
record IdleDevices(int threads, long heapBytes, long nativeBytes) {
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final String RESIDENT = "RssAnon:";
  private static final int FEW = 64;

  /**
   * Measures.
   *
   * @param devices how many
   * @param backEnd has sockets for them
   */
  static IdleDevices look(int devices, AnsweringPeer backEnd) {
    List<String> command =
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--enable-native-access=ALL-UNNAMED",
            "-XX:+UseSerialGC",
            "-XX:+AlwaysPreTouch",
            "-Xms256m",
            "-Xmx256m",
            "-cp",
            System.getProperty("java.class.path"),
            IdleDevices.class.getName(),
            backEnd.directory().toString(),
            String.valueOf(devices));
    try (var lines = new PeerLines(ChildProcess.interactive("JVM with idle devices", command))) {
      String[] words = lines.next("what idle devices hold").split(" ", -1);
      if (words.length != 4 || !words[0].equals("idle")) {
        throw new VhostException(
            "the JVM with idle devices says: " + String.join(" ", words), Recovery.GIVE_UP);
      }
      backEnd.awaitClosed(1 + FEW + devices);
      return new IdleDevices(
          Integer.parseInt(words[1]), Long.parseLong(words[2]), Long.parseLong(words[3]));
    }
  }

  /**
   * The JVM of its own: prints one line, "idle THREADS HEAP_BYTES NATIVE_BYTES".
   *
   * @param arguments directory of the back ends' sockets, number of devices
   */
  public static void main(String[] arguments) {
    Path directory = Path.of(arguments[0]);
    int devices = Integer.parseInt(arguments[1]);
    List<Path> sockets =
        IntStream.range(0, devices).mapToObj(i -> directory.resolve("" + i)).toList();
    try (var arrivals = new Arrivals(DescriptorLedger.counting(), 1, sockets.getFirst())) {
      Arrivals.leave(started(arrivals, sockets.subList(0, FEW))); // what is there only once
      int threads = Thread.getAllStackTraces().size();
      long heap = heap();
      long resident = resident();
      List<VhostNet> nets = started(arrivals, sockets);
      System.out.printf(
          "idle %d %d %d%n",
          Math.max(0, Thread.getAllStackTraces().size() - threads),
          heap() - heap,
          resident() - resident);
      Arrivals.leave(nets);
    }
  }

  private static List<VhostNet> started(Arrivals arrivals, List<Path> sockets) {
    List<VhostNet> nets = arrivals.connect(sockets);
    arrivals.presetup(nets);
    try (var window = new StartWindow(nets, StartOrder.PLANNED)) {
      arrivals.complete(nets);
      window.start();
      window.check();
    }
    return nets;
  }

  private static long heap() {
    System.gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }

  private static long resident() {
    try (var lines = Files.lines(STATUS)) {
      return lines
          .filter(line -> line.startsWith(RESIDENT))
          .map(line -> line.replaceAll("[^0-9]", ""))
          .mapToLong(kib -> Long.parseLong(kib) << 10)
          .findFirst()
          .orElseThrow(() -> new VhostException("no " + RESIDENT, Recovery.GIVE_UP));
    } catch (IOException e) {
      throw new VhostException("reading " + STATUS + ": " + e.getMessage(), Recovery.GIVE_UP, e);
    }
  }
}
