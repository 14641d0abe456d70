package io.github.jvhost.vmstate;

import java.util.ArrayList;
import java.util.List;

/** Receive-side scaling while it is written or read. */
final class RssModel {
  boolean enabled;
  boolean redirect;
  boolean populateHash;
  int hashTypes;
  boolean supportedSaved;
  int supportedHashTypes;
  int tableLength;
  int defaultQueue;
  byte[] key = {};
  final List<Integer> table = new ArrayList<>();
}
