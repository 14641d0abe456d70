package io.github.jvhost.report;

/** The style sheet of the page, for light and dark schemes, small and wide screens. */
final class Style {
  private Style() {}

  static final String SHEET =
      """
      :root {
        color-scheme: light dark;
        --page: #ffffff; --card: #f6f8fa; --line: #d1d9e0; --text: #1f2328; --quiet: #59636e;
        --told: #54a3d8; --asked: #0a3f7a; --out: #3aa6a0; --in: #0f5e63; --work: #9a6700; --note: #9a3412;
        --part0: #bf3989; --part1: #8250df; --part2: #818b98; --part3: #0969da; --part4: #d4660a; --part5: #1a7f37;
        --now: #ddf4ff;
      }
      @media (prefers-color-scheme: dark) {
        :root {
          --page: #0d1117; --card: #151b23; --line: #3d444d; --text: #f0f6fc; --quiet: #9198a1;
          --told: #2f7fc4; --asked: #a5d6ff; --out: #2a9d97; --in: #9be7df; --work: #e3b341; --note: #ffa657;
          --part0: #db61a2; --part1: #ab7df8; --part2: #7d8590; --part3: #4493f8; --part4: #f0883e; --part5: #3fb950;
          --now: #12263f;
        }
      }
      * { box-sizing: border-box }
      body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif }
      main { max-width: 1440px; margin: 0 auto; padding: 1rem clamp(.75rem, 3vw, 2.5rem) 3rem }
      h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0 }
      h2 { font-size: 1.2rem; line-height: 1.3; margin: 0 0 .25rem }
      h2 .quiet { font-size: .95rem; font-weight: normal }
      p { margin: .25rem 0 .75rem; max-width: 75ch; overflow-wrap: anywhere }
      .quiet, footer, figcaption { color: var(--quiet) }
      .note { color: var(--note) }
      section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem;
        margin: 1rem 0; min-width: 0 }
      .two { display: grid; gap: 0 2rem; grid-template-columns: minmax(0, 1fr) }
      @media (min-width: 960px) {
        .two { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr) }
        .wide-left { grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: 0 1rem }
      }
      ul { list-style: none; margin: 0; padding: 0 }
      .bars > li { margin: .6rem 0 }
      .head { display: flex; justify-content: space-between; gap: 1rem; overflow-wrap: anywhere }
      .small { font-size: .85rem; color: var(--quiet); line-height: 1.3; margin: .3rem 0 .15rem }
      .bars data { white-space: nowrap; font-variant-numeric: tabular-nums; font-weight: 600 }
      .bar { display: block; width: 100%; background: var(--page); border-radius: 3px }
      .legend { display: flex; flex-wrap: wrap; gap: .15rem 1rem; font-size: .85rem; color: var(--quiet);
        margin: .5rem 0 }
      .legend b { color: var(--text); font-variant-numeric: tabular-nums; white-space: nowrap }
      .swatch { width: .8em; height: .8em; margin-right: .4em }
      figure { margin: .5rem 0; min-width: 0 }
      figcaption { font-weight: 600; margin-bottom: .4rem }
      .chart { display: block; width: 100% }
      svg text { font-size: 12px; fill: var(--text) }
      .chart text { paint-order: stroke; stroke: var(--card); stroke-width: 4px }
      svg .quiet { fill: var(--quiet) }
      svg .name { font-weight: 600 }
      .grid { stroke: var(--line); stroke-dasharray: 2 3 }
      .base { stroke: var(--quiet) }
      .mark { stroke: var(--text); stroke-dasharray: 4 3 }
      .told { fill: var(--told) } .asked { fill: var(--asked) }
      .out { fill: var(--out) } .in { fill: var(--in) }
      .work { fill: var(--work) }
      .part0 { fill: var(--part0) } .part1 { fill: var(--part1) } .part2 { fill: var(--part2) } .part3 { fill: var(--part3) }
      .part4 { fill: var(--part4) } .part5 { fill: var(--part5) }
      details { margin-top: .5rem; border-top: 1px solid var(--line); padding-top: .5rem }
      summary { cursor: pointer; font-weight: 600 }
      .wide { overflow-x: auto; margin-top: .5rem; background:
        linear-gradient(to right, var(--card) 40%, transparent) left / 48px 100% no-repeat local,
        linear-gradient(to left, var(--card) 40%, transparent) right / 48px 100% no-repeat local,
        linear-gradient(to right, var(--line), transparent) left / 14px 100% no-repeat scroll,
        linear-gradient(to left, var(--line), transparent) right / 14px 100% no-repeat scroll }
      :focus-visible { outline: 2px solid var(--part3); outline-offset: 2px }
      table { border-collapse: collapse; font-size: .85rem; width: 100% }
      th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line);
        unicode-bidi: isolate }
      thead th { color: var(--quiet); white-space: nowrap }
      .facts td, .facts thead th, .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
      .facts tbody th { font-weight: normal; min-width: 9rem }
      .facts thead th { color: var(--text) }
      .code { font-family: ui-monospace, monospace; font-size: .8rem }
      .words { min-width: 14rem; overflow-wrap: anywhere }
      .now { background: var(--now) }
      footer { font-size: .85rem }
      """;
}
