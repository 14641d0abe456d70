package io.github.jvhost.virtio;

/** One ring of a live device. */
final class Ring {
  /** Alignment of a legacy used ring in bytes, until the driver sets another. */
  static final int USUAL_ALIGN = 4096;

  private final int defaultSize;
  private final int maximum;
  private int size;
  private int align;
  private long desc;
  private long avail;
  private long used;
  private boolean ready;

  /**
   * The next index, in vhost's encoding. It is a number, so that a stop window allocates nothing.
   */
  private int base;

  private boolean packed;
  private int vector;
  private int inUse;
  private SavedQueue.Proxy proxy;

  /** Makes a ring as after a reset. */
  Ring(int defaultSize, boolean packed) {
    this.packed = packed;
    this.base = RingIndex.start(packed).toVhostBase();
    this.defaultSize = defaultSize;
    this.maximum = defaultSize;
    this.size = defaultSize;
    this.align = USUAL_ALIGN;
    this.vector = SavedQueue.NO_VECTOR;
    this.proxy = SavedQueue.Proxy.NONE;
  }

  /**
   * Makes a ring from its saved state. Legacy registers have one address only, from which the
   * others are computed. A driver may also use modern registers without VERSION_1.
   */
  Ring(SavedQueue saved, boolean packed, boolean modernDriver) {
    this.defaultSize = saved.defaultSize();
    this.size = saved.size();
    // The source may allow larger rings than this device. The driver may set up the same ring
    // again.
    this.maximum = Math.max(saved.size(), Math.min(saved.defaultSize(), VirtioNet.MAX_QUEUE_SIZE));
    this.align = saved.align() == 0 ? USUAL_ALIGN : saved.align();
    this.desc = saved.desc();
    this.vector = saved.vector();
    this.proxy = saved.proxy();
    this.ready = desc != 0;
    if (modernDriver || desc == 0 || proxy.enabled()) {
      this.avail = saved.avail();
      this.used = saved.used();
    } else {
      this.avail = desc + 16L * size;
      this.used = alignUp(avail + 4 + 2L * size, align);
    }
    SavedQueue.Packed indexes = saved.packed();
    this.inUse = indexes.inUse();
    this.packed = packed;
    next(
        packed
            ? RingIndex.packed(
                indexes.avail() & 0x7FFF,
                indexes.availWrap(),
                indexes.used() & 0x7FFF,
                indexes.usedWrap())
            : RingIndex.split(saved.next()));
  }

  private static long alignUp(long address, int align) {
    return Long.remainderUnsigned(address, align) == 0
        ? address
        : address + align - Long.remainderUnsigned(address, align);
  }

  void configure(int newSize, long newDesc, long newAvail, long newUsed, boolean modern) {
    size = newSize;
    desc = newDesc;
    avail = newAvail;
    used = newUsed;
    ready = newDesc != 0;
    // A ring that was taken down restarts. So does a packed ring whose index is beyond its new
    // size.
    if (!ready || (packed && Math.max(base & 0x7fff, base >>> 16 & 0x7fff) >= newSize)) {
      base = RingIndex.start(packed).toVhostBase();
    }
    if (!modern) {
      proxy = SavedQueue.Proxy.NONE;
    } else if (ready) {
      proxy = new SavedQueue.Proxy(newSize, true, newDesc, newAvail, newUsed);
    } else {
      keepRegisters(proxy, false);
    }
  }

  SavedQueue.Proxy registers() {
    return proxy;
  }

  /** Stores what the driver writes before it enables the ring. Returns whether that is a change. */
  boolean registers(SavedQueue.Proxy written) {
    SavedQueue.Proxy before = proxy;
    keepRegisters(written, before.enabled());
    return !proxy.equals(before);
  }

  private void keepRegisters(SavedQueue.Proxy written, boolean enabled) {
    proxy =
        new SavedQueue.Proxy(
            written.size(), enabled, written.desc(), written.avail(), written.used());
  }

  /**
   * The driver resets this ring alone. The modern registers keep their values, except for enable.
   */
  void reset(boolean packedNow) {
    size = defaultSize;
    desc = 0;
    avail = 0;
    used = 0;
    ready = false;
    packed = packedNow;
    base = RingIndex.start(packedNow).toVhostBase();
    vector = SavedQueue.NO_VECTOR;
    inUse = 0;
    keepRegisters(proxy, false);
  }

  /**
   * Whether virtio allows a driver to set the ring up like this (virtio 1.2, 2.7, 2.8.10, and the
   * registers for its size, 4.1.4.3 and 4.2.2).
   */
  boolean allows(int newSize, long newDesc, long newAvail, long newUsed) {
    boolean sizeAllowed =
        newSize >= 1 && newSize <= maximum && (packed || Integer.bitCount(newSize) == 1);
    return sizeAllowed && newDesc % 16 == 0 && newAvail % (packed ? 4 : 2) == 0 && newUsed % 4 == 0;
  }

  int maximum() {
    return maximum;
  }

  int vector() {
    return vector;
  }

  /** Stores the vector. Returns whether that is a change. */
  boolean vector(int newVector) {
    boolean changed = vector != newVector;
    vector = newVector;
    return changed;
  }

  void next(RingIndex index) {
    base = index.toVhostBase();
  }

  RingIndex next() {
    return RingIndex.fromVhostBase(base, packed);
  }

  int base() {
    return base;
  }

  long desc() {
    return desc;
  }

  long avail() {
    return avail;
  }

  long used() {
    return used;
  }

  int size() {
    return size;
  }

  void base(int vhostBase) {
    base = vhostBase;
  }

  QueueState state() {
    return new QueueState(size, desc, avail, used, ready, next());
  }

  /** Whether the driver set it up like that. The next index is not compared. */
  boolean isSetUpLike(QueueState other) {
    return size == other.size()
        && desc == other.desc()
        && avail == other.avail()
        && used == other.used()
        && ready == other.ready();
  }

  /** The state to save. Parts that are not saved with this offer and transport are left out. */
  SavedQueue save(HostOffer offer, TransportState transport) {
    // A ring that was never set up has no next index.
    RingIndex next = next();
    int index = desc == 0 ? 0 : next.avail();
    SavedQueue.Packed indexes =
        !offer.ringPacked()
            ? SavedQueue.Packed.START
            : next.isPacked()
                ? new SavedQueue.Packed(
                    index, next.availWrap(), next.used(), next.usedWrap(), inUse)
                : new SavedQueue.Packed(index, true, 0, true, inUse);
    return new SavedQueue(
        size,
        defaultSize,
        transport instanceof TransportState.Mmio ? align : 0,
        desc,
        index,
        vector,
        offer.version1() ? avail : 0,
        offer.version1() ? used : 0,
        indexes,
        proxy);
  }
}
