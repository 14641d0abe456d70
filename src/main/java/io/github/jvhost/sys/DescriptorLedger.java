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
   * opened at X.y(X.java:12)"}} Only a tracing ledger has the part after the comma.
   */
  public List<String> describeOpen() {
    List<Map.Entry<Long, Entry>> entries = new ArrayList<>(open.entrySet());
    entries.sort(Comparator.comparingLong(Map.Entry::getKey));
    return entries.stream().map(e -> e.getValue().describe()).toList();
  }

  FileIdentity newIdentity(String what) {
    return new FileIdentity(nextSerial.getAndIncrement(), what);
  }

  /** Records a descriptor. Returns the entry to pass to {@link #closed}. */
  long opened(int number, String what) {
    long entry = nextEntry.getAndIncrement();
    open.put(entry, new Entry(number, what, traces ? caller() : null));
    return entry;
  }

  void closed(long entry) {
    open.remove(entry);
  }

  /** The nearest frame outside of the classes that only pass the request on. */
  private static String caller() {
    return StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE)
        .walk(frames ->
            frames
                .dropWhile(f -> BOOKKEEPERS.contains(f.getDeclaringClass()))
                .findFirst()
                .map(DescriptorLedger::place)
                .orElse("an unknown place"));
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
