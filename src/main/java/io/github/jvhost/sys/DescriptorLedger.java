package io.github.jvhost.sys;

import io.github.jvhost.sys.io.MemoryFile;
import io.github.jvhost.sys.io.Pipe;
import io.github.jvhost.sys.io.SocketPair;
import java.lang.StackWalker.StackFrame;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * A list of all open descriptors. The objects that open and close descriptors keep it up to date.
 * It owns no descriptor. A test, or an embedder before it exits, asks it which descriptors were not
 * closed.
 *
 * <p>Pass one ledger to everything that belongs together (a host, a test). Thread-safe.
 */
public final class DescriptorLedger {
  private static final Set<Class<?>> BOOKKEEPERS =
      Set.of(
          DescriptorLedger.class,
          OwnedDescriptor.class,
          EventFd.class,
          MemoryFile.class,
          Pipe.class,
          SocketPair.class);

  /** The library, and the JDK, which may run the library's lambdas. */
  private static final List<String> NOT_THE_PROGRAM = List.of("io.github.jvhost.", "java.", "jdk.");

  private final boolean traces;
  private final ConcurrentHashMap<Long, Entry> open = new ConcurrentHashMap<>();
  private final AtomicLong nextEntry = new AtomicLong();
  private final AtomicLong nextSerial;

  private DescriptorLedger(boolean traces) {
    this.traces = traces;
    // Each ledger has its own range of serials, so that files of two ledgers are never equal.
    this.nextSerial =
        new AtomicLong((new SplittableRandom().nextLong() << FileIdentity.COUNTER_BITS) + 1);
  }

  /** {@return a new ledger that records what is open, and its purpose} Cheap. */
  public static DescriptorLedger counting() {
    return new DescriptorLedger(false);
  }

  /**
   * {@return a new ledger that also records where in the program each descriptor was opened} Each
   * time a descriptor is opened it walks the stack.
   */
  public static DescriptorLedger tracing() {
    return new DescriptorLedger(true);
  }

  /** {@return how many descriptors are open now} */
  public int openCount() {
    return open.size();
  }

  /**
   * {@return one line per open descriptor, oldest first: {@code "eventfd ring 3 kick (fd 17),
   * opened at X.y(X.java:12)"}} Only a tracing ledger has the part after the comma. Where X is a
   * class of this library, the line of the program that called it follows: {@code ", called from
   * Z.a(Z.java:7)"}.
   */
  public List<String> describeOpen() {
    List<Map.Entry<Long, Entry>> entries = new ArrayList<>(open.entrySet());
    entries.sort(Comparator.comparingLong(Map.Entry::getKey));
    return entries.stream().map(e -> e.getValue().describe()).toList();
  }

  FileIdentity newIdentity(String what) {
    return new FileIdentity(nextSerial.getAndIncrement(), what);
  }

  /**
   * Records a descriptor that is no {@link OwnedDescriptor}, because a library opens and closes it.
   *
   * @param number an open descriptor; this ledger never closes it
   * @param what its purpose, for messages: "socket net0"
   * @return the entry, for {@link #closed}
   */
  public long opened(int number, String what) {
    long entry = nextEntry.getAndIncrement();
    open.put(entry, new Entry(number, what, traces ? caller() : null));
    return entry;
  }

  /**
   * Removes a descriptor that was closed. A second call does nothing.
   *
   * @param entry what {@link #opened} returned
   */
  public void closed(long entry) {
    open.remove(entry);
  }

  /**
   * The nearest frame outside of the classes that only pass the request on. Where that frame is the
   * library's, also the nearest frame of the program that uses the library.
   */
  private static String caller() {
    List<StackFrame> frames =
        StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE)
            .walk(all -> all.dropWhile(f -> BOOKKEEPERS.contains(f.getDeclaringClass())).toList());
    StackFrame nearest = frames.getFirst();
    return frames.stream()
        .filter(DescriptorLedger::isOfTheProgram)
        .findFirst()
        .filter(_ -> !isOfTheProgram(nearest))
        .map(f -> place(nearest) + ", called from " + place(f))
        .orElseGet(() -> place(nearest));
  }

  private static boolean isOfTheProgram(StackFrame frame) {
    return NOT_THE_PROGRAM.stream().noneMatch(frame.getClassName()::startsWith);
  }

  private static String place(StackFrame frame) {
    String name = frame.getClassName();
    return name.substring(name.lastIndexOf('.') + 1)
        + "."
        + frame.getMethodName()
        + "("
        + frame.getFileName()
        + ":"
        + frame.getLineNumber()
        + ")";
  }

  private record Entry(int number, String what, @Nullable String openedAt) {
    String describe() {
      String line = what + " (fd " + number + ")";
      return openedAt == null ? line : line + ", opened at " + openedAt;
    }
  }
}
