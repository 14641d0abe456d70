package io.github.jvhost.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.jvhost.VhostException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What strace writes is read as it is meant. */
class SystemCallsTest {
  private static final String BEGINS =
      "7 newfstatat(AT_FDCWD, \"/jvhost/window/begins\", 0x7f, 0) = -1 ENOENT (No such file)";
  private static final String ENDS =
      "7 newfstatat(AT_FDCWD, \"/jvhost/window/ends\", 0x7f, 0) = -1 ENOENT (No such file)";

  @Test
  void theThreadOfTheWindowWithTheFewestCounts() {
    SystemCalls calls =
        SystemCalls.ofFewest(
            List.of(
                BEGINS,
                "7 close(3) = 0",
                "7 close(4) = 0",
                "7 close(5) = 0",
                "7 recvmsg(12, {msg_name=NULL, msg_namelen=0}, 0) = 20",
                ENDS,
                BEGINS,
                "7 epoll_wait(9, [], 64, 0) = 0",
                "7 sendmsg(12, {msg_name=NULL, msg_namelen=0}, 0) = 72",
                "12 futex(0x7f, FUTEX_WAIT, 0, NULL <unfinished ...>",
                "7 epoll_wait(9,  <unfinished ...>",
                "12 <... futex resumed>) = 0",
                "7 <... epoll_wait resumed>[{events=EPOLLIN, data={u32=1, u64=1}}], 64, 100) = 1",
                "7 epoll_wait(9, [], 64, 100) = 0",
                "7 recvmsg(12,  <unfinished ...>",
                "7 <... recvmsg resumed>{msg_name=NULL, msg_namelen=0}, 0) = 20",
                "7 write(14, \"\\1\\0\\0\\0\\0\\0\\0\\0\", 8) = 8",
                ENDS,
                "7 close(4) = 0"));

    assertThat(calls.counts())
        .isEqualTo(Map.of("epoll_wait", 3L, "sendmsg", 1L, "recvmsg", 1L, "write", 1L));
    assertThat(calls.emptyWaits()).as("of those that wait").isEqualTo(1);
    assertThat(calls.withoutWaits()).isEqualTo(3);
    assertThat(calls.describe()).isEqualTo("3 epoll_wait, 1 recvmsg, 1 sendmsg, 1 write");
  }

  @Test
  void halfAWindowIsNone() {
    for (List<String> lines : List.of(List.<String>of(), List.of(BEGINS), List.of(ENDS, BEGINS))) {
      assertThatThrownBy(() -> SystemCalls.ofFewest(lines))
          .isInstanceOf(VhostException.class)
          .hasMessageContaining("whole window");
    }
  }
}
