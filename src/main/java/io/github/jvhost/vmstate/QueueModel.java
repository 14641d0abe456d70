package io.github.jvhost.vmstate;

import io.github.jvhost.virtio.SavedQueue;

/** One ring while it is written or read. */
final class QueueModel {
  final NetModel section;
  int size;
  int align;
  long desc;
  int next;
  int vector = SavedQueue.NO_VECTOR;
  long avail;
  long used;
  int defaultSize;
  int packedAvail;
  boolean packedAvailWrap = true;
  int packedUsed;
  boolean packedUsedWrap = true;
  int inUse;
  int proxySize;
  boolean proxyEnabled;
  long proxyDesc;
  long proxyAvail;
  long proxyUsed;

  QueueModel(NetModel section) {
    this.section = section;
  }

  QueueModel(NetModel section, SavedQueue saved) {
    this(section);
    size = saved.size();
    align = saved.align();
    desc = saved.desc();
    next = saved.next();
    vector = saved.vector();
    avail = saved.avail();
    used = saved.used();
    defaultSize = saved.defaultSize();
    packedAvail = saved.packed().avail();
    packedAvailWrap = saved.packed().availWrap();
    packedUsed = saved.packed().used();
    packedUsedWrap = saved.packed().usedWrap();
    inUse = saved.packed().inUse();
    proxySize = saved.proxy().size();
    proxyEnabled = saved.proxy().enabled();
    proxyDesc = saved.proxy().desc();
    proxyAvail = saved.proxy().avail();
    proxyUsed = saved.proxy().used();
  }

  SavedQueue toSaved() {
    return new SavedQueue(
        size,
        // Default sizes are only saved when one of them differs.
        section.defaultSizesSaved ? defaultSize : size,
        align,
        desc,
        next,
        vector,
        avail,
        used,
        new SavedQueue.Packed(packedAvail, packedAvailWrap, packedUsed, packedUsedWrap, inUse),
        new SavedQueue.Proxy(proxySize, proxyEnabled, proxyDesc, proxyAvail, proxyUsed));
  }
}
