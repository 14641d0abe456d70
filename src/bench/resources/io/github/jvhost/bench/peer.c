/*
 * SPDX-License-Identifier: Apache-2.0
 *
 * The other half of jvhost's benchmarks, in C, so that what is measured is not measured against Java.
 *
 *   peer serve DIR N [DELAY_US]      a vhost-user back end that answers at once, on the sockets DIR/0 .. DIR/N-1
 *   peer tell FILE MEMORY SOCKET...  a front end that sends what was recorded in FILE, and times it. MEMORY is the file
 *                                    of guest memory, which goes with SET_MEM_TABLE; "-" if a back end does not map it
 *
 * Both live until their standard input ends. vhost-user's messages are
 *
 *   0         4         8         12
 *   +---------+---------+---------+----------------+
 *   | request | flags   | size    | payload (size) |     descriptors travel with the first byte
 *   +---------+---------+---------+----------------+
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { HEADER = 12, MOST_PAYLOAD = 4096, MOST_DESCRIPTORS = 8, MOST_RINGS = 1024, MOST_PHASES = 4 };

/* Flags of a header. */
enum { VERSION = 1, REPLY = 4, NEED_REPLY = 8 };

/* Requests that this back end knows; any other is only acknowledged, if that is asked for. */
enum {
  GET_FEATURES = 1,
  SET_MEM_TABLE = 5,
  SET_LOG_BASE = 6,
  SET_VRING_BASE = 10,
  GET_VRING_BASE = 11,
  GET_PROTOCOL_FEATURES = 15,
  GET_QUEUE_NUM = 17,
  SET_STATUS = 39,
  GET_STATUS = 40
};

#define BIT(n) (UINT64_C(1) << (n))

/* MTU, MAC, MRG_RXBUF, STATUS, CTRL_VQ, CTRL_RX, CTRL_VLAN, GUEST_ANNOUNCE, MQ, CTRL_MAC_ADDR, vhost's
 * LOG_ALL and PROTOCOL_FEATURES, VERSION_1. There is nothing to log, because no packets come. */
static const uint64_t FEATURES = BIT(3) | BIT(5) | BIT(15) | BIT(16) | BIT(17) | BIT(18) | BIT(19) | BIT(21) | BIT(22)
                                 | BIT(23) | BIT(26) | BIT(30) | BIT(32);

/* MQ, LOG_SHMFD, REPLY_ACK, MTU, STATUS, and bit 18, which is PRESETUP in the patches of 2023. Regions of memory one by
 * one (bit 15) are not offered. */
static const uint64_t PROTOCOL_FEATURES = BIT(0) | BIT(1) | BIT(3) | BIT(4) | BIT(16) | BIT(18);

static const uint64_t QUEUE_PAIRS = 256;
static const uint64_t DRIVER_OK = 4;

struct header {
  uint32_t request, flags, size;
};

static void die(const char *format, ...) {
  int error = errno;
  va_list arguments;
  va_start(arguments, format);
  fputs("peer: ", stdout);
  vprintf(format, arguments);
  printf(": %s\n", strerror(error));
  exit(1);
}

static void *zeroed(size_t count, size_t size) {
  void *memory = calloc(count ? count : 1, size);
  if (!memory)
    die("%zu things of %zu bytes", count, size);
  return memory;
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* How often the kernel took the core away from this process, which has one thread and could have gone on. */
static long preemptions(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) < 0)
    die("counting context switches");
  return usage.ru_nivcsw;
}

/* A thousand devices need more descriptors than the usual 1024. */
static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

static struct sockaddr_un address(const char *dir, int device) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  if (snprintf(a.sun_path, sizeof a.sun_path, "%s/%d", dir, device) >= (int)sizeof a.sun_path) {
    errno = ENAMETOOLONG;
    die("%s", dir);
  }
  return a;
}

/* ---- serve ---- */

/* One device: where it listens, and its one connection. */
struct device {
  int listening, fd; /* fd is -1 while nobody is connected */
  int have;          /* bytes in "in" */
  int waiting;       /* a GET_STATUS is answered once the hardware is ready */
  int64_t ready_at;
  uint64_t status;
  uint32_t bases[MOST_RINGS];
  /* What came on this connection, so that two front ends can be compared. */
  uint64_t bytes, messages, descriptors, sum;
  unsigned char in[4 * (HEADER + MOST_PAYLOAD)];
};

static struct device *devices;
static int device_count, epoll, timer, waiting_count;
static int64_t delay, timer_at;

/* What epoll hands back: a device's number, with a mark for its listening socket; or one of these two. */
static const uint64_t LISTENING = BIT(32), STANDARD_INPUT = BIT(33), TIMER = BIT(34);

static void watch(int fd, uint64_t what) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = what};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
    die("watching descriptor %d", fd);
}

static void answer(struct device *d, uint32_t request, uint64_t value) {
  struct {
    struct header header;
    uint64_t value;
  } __attribute__((packed)) reply = {{request, VERSION | REPLY, sizeof value}, value};
  /* A front end that asks for hundreds of acknowledgements before it reads one makes this wait, as it would DPDK. */
  while (send(d->fd, &reply, sizeof reply, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    struct pollfd room = {.fd = d->fd, .events = POLLOUT};
    if (errno == EPIPE || errno == ECONNRESET)
      return;
    if (errno != EAGAIN || poll(&room, 1, -1) < 0)
      die("answering request %u", request);
  }
}

/* The modelled cost of hardware: it is at work from DRIVER_OK on, every device for itself, and its status says so only
 * when that is done. */
static void status_read(struct device *d) {
  if (d->ready_at > now()) {
    d->waiting = 1;
    waiting_count++;
  } else {
    answer(d, GET_STATUS, d->status);
  }
}

static void handle(struct device *d, const struct header *h, const unsigned char *payload) {
  uint64_t value = 0;
  uint32_t ring = 0;
  if (h->size >= sizeof value)
    memcpy(&value, payload, sizeof value);
  ring = (uint32_t)value % MOST_RINGS;
  switch (h->request) {
  case GET_FEATURES:
    answer(d, h->request, FEATURES);
    return;
  case GET_PROTOCOL_FEATURES:
    answer(d, h->request, PROTOCOL_FEATURES);
    return;
  case GET_QUEUE_NUM:
    answer(d, h->request, QUEUE_PAIRS);
    return;
  case SET_STATUS:
    if (delay && (value & DRIVER_OK) && !(d->status & DRIVER_OK))
      d->ready_at = now() + delay;
    d->status = value;
    break;
  case GET_STATUS:
    status_read(d);
    return;
  case SET_VRING_BASE:
    d->bases[ring] = (uint32_t)(value >> 32);
    break;
  case GET_VRING_BASE:
    answer(d, h->request, ring | (uint64_t)d->bases[ring] << 32);
    return;
  case SET_LOG_BASE: /* with LOG_SHMFD always answered */
    answer(d, h->request, 0);
    return;
  }
  if (h->flags & NEED_REPLY)
    answer(d, h->request, 0);
}

static void connection_over(struct device *d) {
  printf("closed %d %llu %llu %llu %016llx %ld\n", (int)(d - devices), (unsigned long long)d->bytes,
         (unsigned long long)d->messages, (unsigned long long)d->descriptors, (unsigned long long)d->sum,
         preemptions());
  fflush(stdout);
  close(d->fd);
  waiting_count -= d->waiting;
  d->fd = -1;
  watch(d->listening, LISTENING | (uint64_t)(d - devices));
}

/* One connection a device at a time; the next one is let in when that is over. */
static void accept_one(struct device *d) {
  int fd = accept4(d->listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    if (errno == EAGAIN || errno == ECONNABORTED)
      return;
    die("accepting");
  }
  epoll_ctl(epoll, EPOLL_CTL_DEL, d->listening, NULL);
  d->fd = fd;
  d->have = d->waiting = 0;
  d->ready_at = 0;
  d->status = d->bytes = d->messages = d->descriptors = d->sum = 0;
  memset(d->bases, 0, sizeof d->bases);
  watch(fd, (uint64_t)(d - devices));
}

/* A sum over the words of a message, so cheap that it does not count. */
static uint64_t summed(uint64_t sum, const unsigned char *bytes, uint32_t length) {
  uint32_t word;
  for (uint32_t i = 0; i + sizeof word <= length; i += sizeof word) {
    memcpy(&word, bytes + i, sizeof word);
    sum = (sum ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    sum ^= sum >> 29;
  }
  return sum;
}

static void handle_whole_messages(struct device *d) {
  int at = 0;
  struct header h;
  while (d->have - at >= HEADER) {
    memcpy(&h, d->in + at, HEADER);
    if (h.size > MOST_PAYLOAD) {
      errno = EPROTO;
      die("a message of %u bytes", h.size);
    }
    int size = HEADER + (int)h.size;
    if (d->have - at < size)
      break;
    d->messages++;
    d->sum = summed(d->sum, d->in + at, (uint32_t)size);
    handle(d, &h, d->in + at + HEADER);
    at += size;
  }
  d->have -= at;
  memmove(d->in, d->in + at, (size_t)d->have);
}

static void close_received(struct device *d, struct msghdr *message) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      close(fd);
    }
    d->descriptors += count;
  }
}

/* Takes everything that is there: the kernel ends a read where descriptors begin, so that is one read for each write of
 * the front end that carries some. */
static void take(struct device *d) {
  while (d->fd >= 0) {
    char control[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
    struct iovec io = {d->in + d->have, sizeof d->in - (size_t)d->have};
    struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t count = recvmsg(d->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN)
      return;
    if (count < 0 && errno != ECONNRESET)
      die("reading");
    if (count <= 0) {
      connection_over(d);
      return;
    }
    close_received(d, &message);
    d->bytes += (uint64_t)count;
    d->have += (int)count;
    handle_whole_messages(d);
  }
}

static void answer_what_is_ready(void) {
  int64_t at = now();
  for (int i = 0; i < device_count && waiting_count > 0; i++) {
    struct device *d = &devices[i];
    if (d->waiting && d->ready_at <= at) {
      d->waiting = 0;
      waiting_count--;
      answer(d, GET_STATUS, d->status);
    }
  }
}

static void set_timer(void) {
  int64_t first = INT64_MAX;
  for (int i = 0; i < device_count; i++)
    if (devices[i].waiting && devices[i].ready_at < first)
      first = devices[i].ready_at;
  if (first == timer_at)
    return;
  timer_at = first;
  struct itimerspec at = {.it_value = {first / 1000000000, first % 1000000000}};
  if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL) < 0)
    die("setting the timer");
}

static int serve(const char *dir, int count, int64_t delay_nanos) {
  delay = delay_nanos;
  device_count = count;
  devices = zeroed((size_t)count, sizeof *devices);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  watch(timer, TIMER);
  watch(STDIN_FILENO, STANDARD_INPUT);
  for (int i = 0; i < count; i++) {
    struct sockaddr_un where = address(dir, i);
    devices[i].fd = -1;
    devices[i].listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (devices[i].listening < 0 || bind(devices[i].listening, (struct sockaddr *)&where, sizeof where) < 0
        || listen(devices[i].listening, 16) < 0)
      die("listening on %s", where.sun_path);
    watch(devices[i].listening, LISTENING | (uint64_t)i);
  }
  printf("listening\n");
  fflush(stdout);
  for (;;) {
    struct epoll_event events[64];
    int ready = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < ready; i++) {
      uint64_t what = events[i].data.u64;
      if (what == STANDARD_INPUT) {
        return 0;
      } else if (what == TIMER) {
        uint64_t times;
        if (read(timer, &times, sizeof times) == sizeof times)
          timer_at = 0;
      } else if (what & LISTENING) {
        accept_one(&devices[(uint32_t)what]);
      } else {
        take(&devices[what]);
      }
    }
    if (delay) {
      if (waiting_count > 0)
        answer_what_is_ready();
      if (waiting_count > 0)
        set_timer();
    }
  }
}

/* ---- tell ----
 *
 * FILE, all numbers of 32 bits:
 *
 *   devices, phases
 *   for each device:  messages of the set-up   for each:  size, descriptors, whether it is answered, bytes
 *                     for each phase:
 *                       writes                 for each:  size, descriptors, bytes
 *                       answers
 *
 * The set-up is sent message by message. In a phase, such as presetup or the stop window, everything is sent to all
 * devices before the first answer is read.
 */

struct told {
  uint32_t size, descriptors, answered;
  const unsigned char *bytes;
};

struct phase {
  uint32_t writes, answers;
  struct told *write;
};

struct talk {
  int fd;
  uint32_t setups, awaited;
  struct told *setup;
  struct phase phases[MOST_PHASES];
  size_t answer_bytes; /* of the answer under way */
  unsigned char in[HEADER + MOST_PAYLOAD];
};

static uint32_t phase_count;

static const unsigned char *file, *file_end;

static uint32_t number(void) {
  uint32_t n;
  if (file_end - file < (ptrdiff_t)sizeof n) {
    errno = EPROTO;
    die("the recording is too short");
  }
  memcpy(&n, file, sizeof n);
  file += sizeof n;
  return n;
}

static struct told *told(uint32_t count, int with_answers) {
  struct told *all = zeroed(count, sizeof *all);
  for (uint32_t i = 0; i < count; i++) {
    all[i].size = number();
    all[i].descriptors = number();
    all[i].answered = with_answers ? number() : 0;
    all[i].bytes = file;
    if (all[i].descriptors > MOST_DESCRIPTORS || file_end - file < (ptrdiff_t)all[i].size) {
      errno = EPROTO;
      die("the recording makes no sense");
    }
    file += all[i].size;
  }
  return all;
}

static void load(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
  if (size < 0)
    die("%s", path);
  unsigned char *all = zeroed((size_t)size, 1);
  if (pread(fd, all, (size_t)size, 0) != size)
    die("reading %s", path);
  close(fd);
  file = all;
  file_end = all + size;
}

/* Descriptors of our own stand for the recorded ones: as many different eventfds as one device's phase has; and the file
 * of guest memory, where a back end maps it. */
static int *eventfds;
static uint32_t notifier_count;
static int memory = -1;

static void make_notifiers(uint32_t count) {
  notifier_count = count > MOST_DESCRIPTORS ? count : MOST_DESCRIPTORS;
  eventfds = zeroed(notifier_count, sizeof *eventfds);
  for (uint32_t i = 0; i < notifier_count; i++)
    if ((eventfds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
      die("eventfd");
}

static void send_one(int fd, const struct told *t, uint32_t *next_notifier) {
  union {
    char bytes[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
    struct cmsghdr align;
  } control;
  struct iovec io = {(void *)t->bytes, t->size};
  struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1};
  if (t->descriptors > 0) {
    size_t length = t->descriptors * sizeof(int);
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(length);
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(length);
    uint32_t request;
    memcpy(&request, t->bytes, sizeof request);
    if (request == SET_MEM_TABLE && memory >= 0 && t->descriptors == 1) {
      memcpy(CMSG_DATA(c), &memory, length);
    } else {
      if (*next_notifier + t->descriptors > notifier_count)
        *next_notifier = 0;
      memcpy(CMSG_DATA(c), eventfds + *next_notifier, length);
      *next_notifier += t->descriptors;
    }
  }
  if (sendmsg(fd, &message, MSG_NOSIGNAL) != (ssize_t)t->size)
    die("sending %u bytes", t->size);
}

/* Reads once; counts the answers that are complete with it. */
static uint32_t read_answers(struct talk *t) {
  uint32_t whole = 0;
  ssize_t count = read(t->fd, t->in + t->answer_bytes, sizeof t->in - t->answer_bytes);
  if (count <= 0)
    die("waiting for an answer (%zd)", count);
  t->answer_bytes += (size_t)count;
  struct header h;
  while (t->answer_bytes >= HEADER) {
    memcpy(&h, t->in, HEADER);
    if (h.size > MOST_PAYLOAD || h.flags != (VERSION | REPLY)) {
      errno = EPROTO;
      die("an answer of %u bytes", h.size);
    }
    if (t->answer_bytes < HEADER + h.size)
      break;
    whole++;
    t->answer_bytes -= HEADER + h.size;
    memmove(t->in, t->in + HEADER + h.size, t->answer_bytes);
  }
  return whole;
}

/* Connects, and tells everything that is told before the first phase. */
static void set_up(struct talk *t, const char *path) {
  struct sockaddr_un where = {.sun_family = AF_UNIX};
  uint32_t eventfd = 0;
  if (snprintf(where.sun_path, sizeof where.sun_path, "%s", path) >= (int)sizeof where.sun_path) {
    errno = ENAMETOOLONG;
    die("%s", path);
  }
  t->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (t->fd < 0 || connect(t->fd, (struct sockaddr *)&where, sizeof where) < 0)
    die("connecting to %s", where.sun_path);
  for (uint32_t i = 0; i < t->setups; i++) {
    send_one(t->fd, &t->setup[i], &eventfd);
    if (t->setup[i].answered)
      while (read_answers(t) == 0) {
      }
  }
}

/* Before the stop window a VMM loads the last of a guest's state: it is busy, and the back end has long gone to sleep. The
 * front end in Java does the same for as long, before each phase. */
static void be_busy(void) {
  int64_t until = now() + INT64_C(500000);
  while (now() < until) {
  }
}

/* One phase: everything to all devices, then all answers as they come. */
static int64_t window(struct talk *talks, struct pollfd *polls, int count, uint32_t phase) {
  int left = 0;
  int64_t from = now();
  for (int i = 0; i < count; i++) {
    uint32_t eventfd = 0;
    struct phase *p = &talks[i].phases[phase];
    for (uint32_t n = 0; n < p->writes; n++)
      send_one(talks[i].fd, &p->write[n], &eventfd);
    talks[i].awaited = p->answers;
    polls[i] = (struct pollfd){.fd = p->answers ? talks[i].fd : -1, .events = POLLIN};
    left += p->answers > 0;
  }
  while (left > 0) {
    if (poll(polls, (nfds_t)count, 10000) <= 0)
      die("waiting for answers");
    for (int i = 0; i < count; i++) {
      if (polls[i].fd < 0 || !polls[i].revents)
        continue;
      uint32_t came = read_answers(&talks[i]);
      talks[i].awaited -= came < talks[i].awaited ? came : talks[i].awaited;
      if (talks[i].awaited == 0) {
        polls[i].fd = -1;
        left--;
      }
    }
  }
  return now() - from;
}

static int tell(const char *path, const char *memory_path, char **sockets, int count) {
  char line[64];
  uint32_t most = 0;
  load(path);
  if (number() != (uint32_t)count) {
    errno = EINVAL;
    die("the recording is not of %d devices", count);
  }
  if (strcmp(memory_path, "-") != 0 && (memory = open(memory_path, O_RDWR | O_CLOEXEC)) < 0)
    die("%s", memory_path);
  phase_count = number();
  if (phase_count > MOST_PHASES) {
    errno = EINVAL;
    die("%u phases", phase_count);
  }
  struct talk *talks = zeroed((size_t)count, sizeof *talks);
  struct pollfd *polls = zeroed((size_t)count, sizeof *polls);
  for (int i = 0; i < count; i++) {
    talks[i].setup = told(talks[i].setups = number(), 1);
    for (uint32_t phase = 0; phase < phase_count; phase++) {
      struct phase *p = &talks[i].phases[phase];
      uint32_t descriptors = 0;
      p->write = told(p->writes = number(), 0);
      p->answers = number();
      for (uint32_t n = 0; n < p->writes; n++)
        descriptors += p->write[n].descriptors;
      most = descriptors > most ? descriptors : most;
    }
  }
  make_notifiers(most);
  printf("ready\n");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    int rounds = 0, pause_ms = 0;
    if (sscanf(line, "run %d pause %d", &rounds, &pause_ms) != 2 || pause_ms < 0) {
      errno = EINVAL;
      die("%s", line);
    }
    for (; rounds > 0; rounds--) {
      for (int i = 0; i < count; i++)
        set_up(&talks[i], sockets[i]);
      long before = preemptions();
      for (uint32_t phase = 0; phase < phase_count; phase++) {
        if (phase > 0)
          poll(NULL, 0, pause_ms);
        be_busy();
        printf("%lld ", (long long)window(talks, polls, count, phase));
      }
      printf("%ld\n", preemptions() - before);
      fflush(stdout);
      for (int i = 0; i < count; i++)
        close(talks[i].fd);
    }
  }
  return 0;
}

int main(int argc, char **argv) {
  int count = argc > 3 ? atoi(argv[3]) : 0;
  raise_descriptor_limit();
  if (argc >= 4 && strcmp(argv[1], "serve") == 0 && count > 0)
    return serve(argv[2], count, argc > 4 ? atoll(argv[4]) * 1000 : 0);
  if (argc > 4 && strcmp(argv[1], "tell") == 0)
    return tell(argv[2], argv[3], argv + 4, argc - 4);
  printf("peer serve DIR N [DELAY_US] | peer tell FILE MEMORY SOCKET...\n");
  return 2;
}
