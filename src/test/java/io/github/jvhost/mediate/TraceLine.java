package io.github.jvhost.mediate;

import io.github.jvhost.protocol.FrontEndRequest;
import io.github.jvhost.protocol.LogRegion;
import io.github.jvhost.protocol.MemoryRegionPayload;
import io.github.jvhost.protocol.MemoryTablePayload;
import io.github.jvhost.protocol.NoPayload;
import io.github.jvhost.protocol.Payload;
import io.github.jvhost.protocol.U64;
import io.github.jvhost.protocol.VringAddress;
import io.github.jvhost.protocol.VringDescriptor;
import io.github.jvhost.protocol.VringState;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One message of a recorded conversation.
 *
 * <pre>
 *   -&gt; vhS0 SET_MEM_TABLE fl=0x09 NEED_REPLY sz=40 fds=1 n=1 [gpa=0x0 size=0x1000 uva=0x7f00 off=0x0]
 *   &lt;- vhS0 SET_MEM_TABLE fl=0x05 REPLY sz=8 fds=0 u64=0x0
 *      device; none where there is one only
 * </pre>
 *
 * @param toBackEnd whether the front end has sent it
 * @param device which one, "" if there is one only
 * @param request what it is, or what it answers
 * @param needsReply whether it asks for an acknowledgement
 * @param descriptors how many came with it
 * @param content the payload as it is printed
 */
record TraceLine(
    boolean toBackEnd,
    String device,
    FrontEndRequest request,
    boolean needsReply,
    int descriptors,
    String content) {
  private static final Pattern LINE =
      Pattern.compile(
          "(->|<-) (?:(vh\\w+) )?([A-Z_]+) fl=0x\\d\\d( NEED_REPLY)?(?: REPLY)? sz=\\d+"
              + " fds=(\\d)(?: (.*))?");

  static TraceLine parse(String line) {
    Matcher m = LINE.matcher(line);
    if (!m.matches()) {
      throw new IllegalArgumentException(line);
    }
    return new TraceLine(
        m.group(1).equals("->"),
        m.group(2) == null ? "" : m.group(2),
        FrontEndRequest.valueOf(m.group(3)),
        m.group(4) != null,
        Integer.parseInt(m.group(5)),
        m.group(6) == null ? "" : m.group(6));
  }

  Payload payload() {
    return switch (request) {
      case SET_OWNER, GET_FEATURES, GET_PROTOCOL_FEATURES, GET_QUEUE_NUM, GET_STATUS ->
          NoPayload.INSTANCE;
      case SET_MEM_TABLE -> new MemoryTablePayload(regions());
      case SET_LOG_BASE -> new LogRegion(number("size"), number("off"));
      case SET_VRING_ADDR ->
          new VringAddress(
              ring(),
              (int) number("flags"),
              number("desc"),
              number("used"),
              number("avail"),
              log());
      case SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR ->
          new VringDescriptor(ring(), descriptors == 0);
      case SET_VRING_NUM, SET_VRING_BASE, SET_VRING_ENABLE, GET_VRING_BASE ->
          new VringState(ring(), (int) number("num"));
      default -> new U64(number("u64"));
    };
  }

  int ring() {
    return (int) number("vq");
  }

  private long log() {
    return content.contains("log=") ? number("log") : 0;
  }

  private List<MemoryRegionPayload> regions() {
    List<MemoryRegionPayload> regions = new ArrayList<>();
    Matcher region = Pattern.compile("\\[([^]]*)]").matcher(content);
    while (region.find()) {
      String one = region.group(1);
      regions.add(
          new MemoryRegionPayload(
              number(one, "gpa"), number(one, "size"), number(one, "uva"), number(one, "off")));
    }
    return regions;
  }

  private long number(String key) {
    return number(content, key);
  }

  private static long number(String text, String key) {
    Matcher value = Pattern.compile("\\b" + key + "=(\\w+)").matcher(text);
    if (!value.find()) {
      throw new IllegalArgumentException("no " + key + " in: " + text);
    }
    return Long.decode(value.group(1));
  }
}
