package io.github.jvhost.vhost.plan;

import io.github.jvhost.memory.MemoryTable;
import io.github.jvhost.vhost.plan.BackEndProfile.StopKeeps;
import io.github.jvhost.vhost.plan.PlannedStep.Answer;
import io.github.jvhost.virtio.ControlState;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One thing that a back end can hold of a device, or of one of its vrings. All that planning knows
 * of it is in its row. Planner, shadow and explanation read the columns, and name a fact only where
 * no column says what they need. {@link EarlyConfiguration} reads the column "early" of the facts
 * of a ring that may not be sent to every back end early.
 *
 * <pre>
 *   column         what it says                                              default
 *   wanted         its value in the desired configuration; null: leave it    (required)
 *   possible       whether this back end can be sent it                      always
 *   why            why it is sent; null: the back end holds it               its value differs
 *   step           the step that carries it                                  Step.Set
 *   answer         whether an acknowledgement is asked for                   collected with others
 *   text           its value in explanations                                 itself
 *   whileRunning   what a changed value means for a ring that runs           it is sent
 *   early          whether presetup may send it                              always
 *   dummy          the value that explicit presetup sends in its place to    its own
 *                  a back end that is not known to hold its rings
 *   keptOverStop   which back ends hold it after GET_VRING_BASE              none
 *   afterReset     whether it is held after a reset of the device            may be gone
 *   effect         what else it changes at the back end                      nothing
 *   madeAhead      whether a plan with it may be made before the stop window no
 * </pre>
 *
 * <p>A carrier has a table of its own, which says how the step of a row is sent there. So another
 * fact is a row here, a row in each carrier's table, and its value in {@link DeviceConfig} or
 * {@link RingConfig}. A fact of the device also needs a line in {@link Planner}.
 *
 * <p>Facts are the constants below. They are immutable.
 *
 * @param <T> of its value
 */
public final class Fact<T> {

  /** What a changed value means for a ring that runs. */
  public enum WhileRunning {
    /** It is sent. */
    SENT,
    /** The ring is stopped, the value is sent, and the ring is started again. */
    STOP_FIRST,
    /** It is not sent: the ring has moved on since. */
    NEVER
  }

  /**
   * The back ends to which presetup may send a value while guest memory is not complete; also the
   * kind of a back end. A back end of each kind may be sent all that one of a kind above it may be
   * sent.
   */
  public enum Early {
    /** Any back end. */
    ANY,
    /** Those that touch no ring before DRIVER_OK, or before {@link Fact#SERVED}. */
    HOLDING,
    /** Those that know the PRESETUP message. */
    EXPLICIT,
    /** Those that know the PRESETUP message and surely touch no ring before DRIVER_OK. */
    EXPLICIT_HOLDING,
    /** None. */
    NONE;

    /**
     * {@return the kind of a back end, for a presetup}
     *
     * @param mode with the PRESETUP message or without
     * @param capabilities of the back end
     */
    public static Early of(PresetupMode mode, BackEndCapabilities capabilities) {
      boolean holds = capabilities.holdsRings();
      return switch (mode) {
        case OFF, IMPLICIT -> holds ? HOLDING : ANY;
        case EXPLICIT ->
            holds || capabilities.dialect().presetupHoldsRings() ? EXPLICIT_HOLDING : EXPLICIT;
      };
    }
  }

  /** Whether the back end holds a value after a reset of the device. */
  public enum AfterReset {
    /** The back end holds it as before. */
    KEPT,
    /** The back end has set it to 0. */
    ZERO,
    /** The back end may hold it or not. */
    MAY_BE_GONE,
    /** The back end does not hold it. */
    GONE
  }

  // ---- of the device ----

  /** NET_SET_MTU: bytes. */
  public static final Fact<Integer> MTU =
      Fact.<Integer>row("mtu")
          .wanted((plan, _) -> plan.desired().mtu())
          .possible(BackEndCapabilities::hasMtu)
          .afterReset(AfterReset.KEPT)
          .fact();

  /** SET_LOG_BASE: where dirty pages go. */
  public static final Fact<LogTarget> LOG =
      Fact.<LogTarget>row("log")
          .wanted((plan, _) -> plan.desired().log())
          .why((plan, _, held) -> held.is(plan.desired().log()) ? null : Why.LOGGING)
          .afterReset(AfterReset.KEPT)
          .fact();

  /** SET_FEATURES: virtio's and vhost's feature bits. */
  public static final Fact<Long> FEATURES =
      Fact.<Long>row("features")
          .wanted((plan, _) -> plan.desired().features())
          .why((plan, _, held) -> plan.whyFeatures(held))
          .text(features -> "0x" + Long.toHexString(features))
          .effect((now, _, before) -> now.featuresChanged(before))
          .fact();

  /** SET_STATUS: the virtio status byte. */
  public static final Fact<Integer> STATUS =
      Fact.<Integer>row("status")
          .wanted((_, _) -> null) // the planner says when
          .answer(Answer.NONE) // DPDK acknowledges it before it does the work
          .text(status -> "0x" + Integer.toHexString(status))
          .afterReset(AfterReset.ZERO)
          .madeAhead()
          .effect((now, _, _) -> now.statusChanged())
          .fact();

  /**
   * SUSPEND and RESUME of a vDPA device. While it is suspended it serves no ring and answers no
   * command, and each of its rings can be changed. A reset resumes it.
   */
  public static final Fact<Boolean> SUSPENDED =
      Fact.<Boolean>row("suspended")
          .wanted((_, _) -> null) // the planner says when
          .possible(BackEndCapabilities::freezesRings)
          .afterReset(AfterReset.GONE)
          .madeAhead()
          .effect((now, _, _) -> now.suspendedChanged())
          .fact();

  /**
   * The control queue of a vDPA device, as a ring of this process in an address space of its own
   * (SET_GROUP_ASID, and what describes a ring). It is set up between FEATURES_OK and DRIVER_OK.
   * Its value is the index of that ring.
   */
  public static final Fact<Integer> CONTROL_QUEUE =
      Fact.<Integer>row("control queue")
          .wanted((plan, _) -> plan.capabilities().controlRing(plan.desired().features()))
          .possible(BackEndCapabilities::hasControlQueue)
          .text(ring -> "ring " + ring)
          .afterReset(AfterReset.GONE)
          .fact();

  /** SET_MEM_TABLE, or ADD_MEM_REG and REM_MEM_REG for the difference: guest memory. */
  public static final Fact<MemoryTable> MEMORY =
      Fact.<MemoryTable>row("memory table")
          .wanted((plan, _) -> plan.desired().memory())
          .text(MemorySteps::sizes)
          .afterReset(AfterReset.KEPT)
          .effect((now, _, before) -> now.memoryReplaced(before))
          .fact();

  /**
   * SET_INFLIGHT_FD: the region in which the back end records the requests in flight. Empty: the
   * back end was asked and has none to share.
   */
  public static final Fact<Optional<InflightRegion>> INFLIGHT =
      Fact.<Optional<InflightRegion>>row("in-flight region")
          .wanted((plan, _) -> Optional.ofNullable(plan.desired().inflight()))
          .why((plan, _, held) ->
              held.is(Optional.ofNullable(plan.desired().inflight())) ? null : Why.INFLIGHT)
          .possible(BackEndCapabilities::hasInflightRegion)
          .text(region -> region.map(r -> r.layout().toString()).orElse("none"))
          .afterReset(AfterReset.GONE) // requests of the driver before are not the next driver's
          .fact();

  /**
   * IOTLB_MSG, for the difference: translations of I/O virtual addresses. A back end may look a
   * ring up as soon as they are there.
   */
  public static final Fact<Translations> TRANSLATIONS =
      Fact.<Translations>row("translations")
          .wanted((_, _) -> null) // the planner sends the difference, step by step
          .early(Early.HOLDING)
          .afterReset(AfterReset.KEPT)
          .fact();

  /**
   * What a driver sets by commands on its control queue ({@link Step.Command}). A vDPA device takes
   * them only while it runs.
   */
  public static final Fact<ControlState> CONTROL =
      Fact.<ControlState>row("control state")
          .wanted((_, _) -> null) // the planner sends the difference, command by command
          .fact();

  // ---- of a vring ----

  /** SET_VRING_NUM: entries. With another size a ring has other indexes and covers other memory. */
  public static final Fact<Integer> SIZE =
      Fact.<Integer>row("size")
          .wanted((plan, ring) -> plan.wanted(ring).size())
          .whileRunning(WhileRunning.STOP_FIRST)
          .keptOverStop(StopKeeps.SIZE_AND_ENABLE)
          .madeAhead()
          .effect((now, ring, _) -> now.sizeChanged(ring))
          .fact();

  /** SET_VRING_ENDIAN: the byte order of the numbers in a legacy ring. */
  public static final Fact<ByteOrder> ORDER =
      Fact.<ByteOrder>row("byte order")
          .wanted((plan, _) -> plan.desired().ringOrder())
          .possible(BackEndCapabilities::hasRingOrder)
          .whileRunning(WhileRunning.STOP_FIRST)
          .keptOverStop(StopKeeps.ENABLE)
          .fact();

  /** SET_VRING_CALL: back end to guest. */
  public static final Fact<RingEventfd> CALL =
      Fact.<RingEventfd>row("call")
          .wanted((plan, ring) -> plan.wanted(ring).call())
          .madeAhead()
          .fact();

  /** SET_VRING_ERR: back end to front end. An err eventfd that is no longer wanted is withdrawn. */
  public static final Fact<RingEventfd> ERR =
      Fact.<RingEventfd>row("err")
          .wanted(PlanDraft::wantedErr)
          .keptOverStop(StopKeeps.ENABLE)
          .madeAhead()
          .fact();

  /** SET_VRING_ENABLE: whether the queue is in use. */
  public static final Fact<Boolean> ENABLED =
      Fact.<Boolean>row("enabled")
          .wanted((plan, ring) -> plan.wanted(ring).enabled())
          .possible(BackEndCapabilities::hasRingEnable)
          .keptOverStop(StopKeeps.ENABLE)
          .fact();

  /**
   * SET_VRING_BASE: where the back end goes on. Sent to a running ring it would rewind the ring.
   */
  public static final Fact<Integer> BASE =
      Fact.<Integer>row("base")
          .wanted(PlanDraft::wantedBase)
          .why(PlanDraft::whyBase)
          .whileRunning(WhileRunning.NEVER)
          .early(Early.EXPLICIT)
          .madeAhead()
          .fact();

  /** SET_VRING_ADDR: where the ring lies. Some back ends read the used index at this moment. */
  public static final Fact<RingAddresses> ADDRESS =
      Fact.<RingAddresses>row("address")
          .wanted((plan, ring) -> plan.wanted(ring).addresses())
          .why(PlanDraft::whyAddress)
          .step((plan, ring, _) -> plan.addressStep(ring))
          .whileRunning(WhileRunning.STOP_FIRST)
          .early(Early.HOLDING)
          .madeAhead()
          .effect((now, ring, _) -> now.addressSent(ring))
          .fact();

  /** The log flag of SET_VRING_ADDR: whether writes to the used ring are logged. */
  public static final Fact<Boolean> LOG_USED =
      Fact.<Boolean>row("log flag")
          .wanted((plan, ring) ->
              plan.wanted(ring).addresses() == null ? null : plan.wanted(ring).logUsed())
          .why((plan, ring, held) -> held.is(plan.wanted(ring).logUsed()) ? null : Why.LOGGING)
          .step((plan, ring, _) -> plan.addressStep(ring))
          .early(Early.HOLDING)
          .madeAhead()
          .fact();

  /**
   * An empty ring of this process, on which a vDPA device is started early in the place of the
   * guest's: SET_VRING_ADDR and SET_VRING_BASE. Its value is how many entries it has.
   */
  public static final Fact<Integer> STAND_IN =
      Fact.<Integer>row("stand-in")
          .wanted(PlanDraft::wantedStandIn)
          .early(Early.EXPLICIT)
          .effect((now, ring, _) -> now.standInSent(ring))
          .fact();

  /** SET_VRING_KICK: guest to back end. On some back ends it starts the ring. */
  public static final Fact<RingEventfd> KICK =
      Fact.<RingEventfd>row("kick")
          .wanted((plan, ring) -> plan.wanted(ring).kick())
          .whileRunning(WhileRunning.STOP_FIRST)
          .early(Early.HOLDING)
          .dummy(new RingEventfd.NoFd())
          .madeAhead()
          .effect((now, ring, _) -> now.kickSent(ring))
          .fact();

  /**
   * Whether the ring is served, which only the kernel's back ends are told. With vhost-net it is
   * NET_SET_BACKEND: the ring is connected to its tap, and starts. With vhost-vdpa it is
   * SET_VRING_ENABLE: the ring starts with the device. A ring that was never served, and is not to
   * be, is not told so.
   */
  public static final Fact<Boolean> SERVED =
      Fact.<Boolean>row("served")
          .wanted(PlanDraft::wantedServed)
          .possible(BackEndCapabilities::startsRingsByStep)
          .early(Early.NONE)
          .madeAhead()
          .effect((now, ring, _) -> now.servedSent(ring))
          .fact();

  /** The facts of a device. {@link Planner} says in which order they are sent. */
  public static final List<Fact<?>> OF_DEVICE =
      List.of(
          MTU,
          LOG,
          FEATURES,
          STATUS,
          SUSPENDED,
          CONTROL_QUEUE,
          MEMORY,
          INFLIGHT,
          TRANSLATIONS,
          CONTROL);

  /**
   * The facts that describe a ring, in the order in which they are sent. For all rings they come
   * before the first enable: a back end that has only one ring by then may take the device for one
   * without a TX ring. DPDK reports every enable to its application at once. QEMU, too, sends the
   * calls of all rings first.
   */
  static final List<Fact<?>> DESCRIBING = List.of(SIZE, ORDER, CALL, ERR);

  /**
   * The facts that put a ring into service, in the order in which they are sent. A ring is enabled
   * before the kick starts it, because a back end drops the packets of a TX ring that is started
   * and disabled (vhost-user, "Ring states"). The address comes after the base, because some back
   * ends read the used index in guest memory when they translate the address.
   */
  static final List<Fact<?>> SERVING = List.of(ENABLED, BASE, ADDRESS, LOG_USED, STAND_IN, KICK);

  /**
   * The facts that start a ring, where a kick does not. For all rings they come after all else,
   * above all after every base: a ring that is started goes on at the base that it holds by then.
   */
  static final List<Fact<?>> STARTING = List.of(SERVED);

  /** The facts of a vring, in the order in which they are sent. */
  public static final List<Fact<?>> OF_RING =
      Stream.of(DESCRIBING, SERVING, STARTING).<Fact<?>>flatMap(List::stream).toList();

  private final Row<T> row;

  private Fact(Row<T> row) {
    this.row = row;
  }

  /** {@return its name in explanations: "features", "size"} */
  public String name() {
    return row.name;
  }

  /** {@return what a changed value means for a ring that runs} */
  public WhileRunning whileRunning() {
    return row.whileRunning;
  }

  /** {@return the back ends to which presetup may send it} */
  public Early earlyColumn() {
    return row.early;
  }

  /** {@return whether the back end holds it after a reset of the device} */
  public AfterReset afterReset() {
    return row.afterReset;
  }

  /**
   * {@return whether a back end holds it after GET_VRING_BASE}
   *
   * @param profile of the back end
   */
  public boolean isKeptOverStop(BackEndProfile profile) {
    return row.keptOverStop != null && profile.keeps(row.keptOverStop);
  }

  /**
   * {@return what presetup sends for a value; null if nothing}
   *
   * @param value that the running device is to have; null: none
   * @param to the kind of back end
   */
  @Nullable T earlyValue(@Nullable T value, Early to) {
    if (value == null || row.early.compareTo(to) > 0) {
      return null;
    }
    return to == Early.EXPLICIT && row.dummy != null ? row.dummy : value;
  }

  /**
   * {@return whether presetup sends the value that the running device is to have, so that it need
   * not be sent again unless it changes} A base always changes.
   *
   * @param to the kind of back end
   */
  public boolean isSettledEarly(Early to) {
    boolean dummy = to == Early.EXPLICIT && row.dummy != null;
    return row.early.compareTo(to) <= 0 && !dummy;
  }

  /** Its value in the desired configuration; null: the back end is left as it is. */
  @Nullable T wanted(PlanDraft plan, int ring) {
    return row.possible.test(plan.capabilities()) ? row.wanted.apply(plan, ring) : null;
  }

  /** Why it has to be sent; null if it need not be. */
  @Nullable Why why(PlanDraft plan, int ring, Known<T> held, T wanted) {
    if (row.why != null) {
      return row.why.of(plan, ring, held);
    }
    return held.is(wanted) ? null : PlanDraft.whySent(held);
  }

  Step step(PlanDraft plan, int ring, T value) {
    return row.step == null ? new Step.Set<>(this, ring, value) : row.step.of(plan, ring, value);
  }

  Answer answer() {
    return row.answer;
  }

  /**
   * Whether a plan that has a step of it may be made ahead of the stop window. It does not change
   * the device as a whole, so no later step depends on its answer.
   */
  boolean isMadeAhead() {
    return row.madeAhead;
  }

  /** For explanations: the text of the value that is held, or else what is known. */
  Object text(Known<T> known) {
    T value = known.orNull();
    return value == null ? known : text(value);
  }

  Object text(T value) {
    return row.text.apply(value);
  }

  /** Applies what else changes at a back end that has taken it. */
  void takesEffect(ShadowEditor now, int ring, Known<T> before) {
    row.effect.on(now, ring, before);
  }

  @Override
  public String toString() {
    return row.name;
  }

  private static <T> Row<T> row(String name) {
    return new Row<>(name);
  }

  private interface WhyColumn<T> {
    @Nullable Why of(PlanDraft plan, int ring, Known<T> held);
  }

  private interface StepColumn<T> {
    Step of(PlanDraft plan, int ring, T value);
  }

  private interface EffectColumn<T> {
    void on(ShadowEditor now, int ring, Known<T> before);
  }

  /** The columns of one fact, filled in as its constant is made. */
  private static final class Row<T> {
    private final String name;
    private BiFunction<PlanDraft, Integer, @Nullable T> wanted = (_, _) -> null;
    private Predicate<BackEndCapabilities> possible = _ -> true;
    private @Nullable WhyColumn<T> why;
    private @Nullable StepColumn<T> step;
    private Answer answer = Answer.COLLECTED;
    private Function<T, Object> text = value -> value;
    private WhileRunning whileRunning = WhileRunning.SENT;
    private Early early = Early.ANY;
    private @Nullable T dummy;
    private @Nullable StopKeeps keptOverStop;
    private AfterReset afterReset = AfterReset.MAY_BE_GONE;
    private EffectColumn<T> effect = (_, _, _) -> {};
    private boolean madeAhead;

    private Row(String name) {
      this.name = name;
    }

    Row<T> wanted(BiFunction<PlanDraft, Integer, @Nullable T> column) {
      wanted = column;
      return this;
    }

    Row<T> possible(Predicate<BackEndCapabilities> column) {
      possible = column;
      return this;
    }

    Row<T> why(WhyColumn<T> column) {
      why = column;
      return this;
    }

    Row<T> step(StepColumn<T> column) {
      step = column;
      return this;
    }

    Row<T> answer(Answer column) {
      answer = column;
      return this;
    }

    Row<T> text(Function<T, Object> column) {
      text = column;
      return this;
    }

    Row<T> whileRunning(WhileRunning column) {
      whileRunning = column;
      return this;
    }

    Row<T> early(Early column) {
      early = column;
      return this;
    }

    Row<T> dummy(T column) {
      dummy = column;
      return this;
    }

    Row<T> keptOverStop(StopKeeps column) {
      keptOverStop = column;
      return this;
    }

    Row<T> afterReset(AfterReset column) {
      afterReset = column;
      return this;
    }

    Row<T> effect(EffectColumn<T> column) {
      effect = column;
      return this;
    }

    Row<T> madeAhead() {
      madeAhead = true;
      return this;
    }

    Fact<T> fact() {
      return new Fact<>(this);
    }
  }
}
