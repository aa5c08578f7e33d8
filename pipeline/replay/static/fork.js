// Another choice: what came of it in a thousand futures, beside what came of the agent's own.

import { fill, html, svg } from "./dom.js";
import { points } from "./words.js";

const CHART = { width: 560, half: 76, left: 8, right: 8, height: 214, axis: 182 };

/** The panel of other choices; `ask(moment, choice)` plays them, or is null where nobody can. */
export class ForkPanel {
  constructor(replay, ask, seek) {
    this.replay = replay;
    this.ask = ask;
    this.seek = seek;
    this.known = new Map(replay.forks.map((fork) => [key(fork.moment, fork.other.choice), fork]));
    this.latest = new Map(replay.forks.map((fork) => [fork.moment, fork]));
    this.step = 0;
    const options = replay.actions.map((name) => html("option", { value: name }, name));
    this.select = html("select", { "aria-label": "Another choice" }, options);
    this.button = html("button", { type: "button", click: () => this.play(this.select.value) }, "Play 1,000 futures");
    this.status = html("p", { class: "status", role: "status" });
    this.result = html("div", { class: "fork-result" });
    this.elsewhere = html("p", { class: "elsewhere" });
    const parts = [this.status, this.result, this.elsewhere];
    if (ask && replay.no_fork === null) {
      parts.unshift(html("div", { class: "fork-form" }, html("label", {}, "Instead ", this.select), this.button));
    }
    this.element = html("section", { class: "panel fork" }, html("h3", {}, "What if?"), parts);
  }

  /** Show what was tried at a moment. */
  show(step) {
    this.step = step;
    const { frames, num_steps, no_fork } = this.replay;
    const thought = frames[step].thought;
    this.button.disabled = step === num_steps;
    if (thought !== null && this.select.value === thought.choice) {
      const other = thought.likeliest.find(([choice]) => choice !== thought.choice);
      if (other) this.select.value = other[0];
    }
    const fork = this.latest.get(step);
    fill(this.result, fork ? drawn(fork) : []);
    fill(this.status, fork ? "" : this.absent(no_fork));
    fill(this.elsewhere, this.links(step));
  }

  /** Where else something was tried. */
  links(step) {
    const others = [...this.latest.keys()].filter((moment) => moment !== step).sort((a, b) => a - b);
    if (!others.length) return [];
    const link = (moment) =>
      html("button", { type: "button", class: "plain", click: () => this.seek(moment) }, `step ${moment + 1}`);
    return ["Tried in ", others.map((moment, index) => (index ? [", ", link(moment)] : link(moment))), "."];
  }

  absent(reason) {
    const step = this.step + 1;
    if (reason !== null) return `Other choices can't be tried here: ${reason}.`;
    if (step > this.replay.num_steps) return "The episode is over: nothing is left to choose.";
    if (this.ask) {
      return `What would have come of another choice in step ${step}? Futures are played to the end of the episode.`;
    }
    return [
      `No other choice was tried in step ${step}. This page stands by itself: it holds what was tried when it was `,
      "written. To write it with another one: ",
      html("code", {}, `${this.replay.again} --fork "${step}:ACTION"`),
    ];
  }

  /** Have another choice tried, and show what came of it. */
  async play(choice) {
    const moment = this.step;
    if (!this.known.has(key(moment, choice))) {
      if (!this.ask) {
        this.status.textContent = `${choice} was not tried in step ${moment + 1}.`;
        return;
      }
      this.status.textContent = `Playing 1,000 futures of ${choice} ...`;
      try {
        this.known.set(key(moment, choice), await this.ask(moment, choice));
      } catch (error) {
        this.status.textContent = `That could not be played: ${error instanceof Error ? error.message : error}`;
        return;
      }
    }
    this.latest.set(moment, this.known.get(key(moment, choice)));
    if (this.step === moment) this.show(moment);
  }
}

function key(moment, choice) {
  return `${moment} ${choice}`;
}

function drawn(fork) {
  const { own, other, difference, difference_stderr: stderr } = fork;
  const clear = Math.abs(difference) > 2 * stderr;
  const better = difference > 0 ? "better" : "worse";
  const size = `${points(Math.abs(difference), 2)} ± ${points(stderr, 2)}`;
  const sum = `${other.choice} instead of ${own.choice}: ${size} points ${better}`;
  return [
    html("p", { class: "sum" }, clear ? `${sum}.` : `${sum}: no difference that can be told from chance.`),
    chart(fork),
    html(
      "table",
      { class: "outcomes" },
      caption(fork),
      head(),
      html("tbody", {}, line(own, "own"), line(other, "other")),
    ),
  ];
}

const COLUMNS = ["", "mean ± standard error", "5 %", "25 %", "median", "75 %", "95 %"];

function head() {
  return html("thead", {}, html("tr", {}, COLUMNS.map((name) => html("th", { scope: "col", class: "number" }, name))));
}

function caption({ num_steps: numSteps, num_futures: numFutures }) {
  const each = `${numFutures.toLocaleString("en")} futures each, in pairs of the same seeds`;
  return html("caption", {}, `Return of the ${numSteps} steps from here on, in points; ${each}`);
}

function line(outcomes, kind) {
  return html(
    "tr",
    { class: kind },
    html("th", { scope: "row" }, html("span", { class: `swatch ${kind}` }), ` ${outcomes.choice} (${kind})`),
    html("td", { class: "number" }, `${points(outcomes.mean, 2)} ± ${points(outcomes.stderr, 2)}`),
    outcomes.quantiles.map((quantile) => html("td", { class: "number" }, points(quantile))),
  );
}

/** Two histograms over one axis, the agent's own choice above, the other one below, each with its mean. */
function chart(fork) {
  const { edges, own, other } = fork;
  const [lowest, highest] = [edges[0], edges[edges.length - 1]];
  const x = (value) => CHART.left + ((CHART.width - CHART.left - CHART.right) * (value - lowest)) / (highest - lowest);
  const most = Math.max(...own.counts, ...other.counts);
  const middle = 12 + CHART.half;
  const bars = (outcomes, kind, down) =>
    outcomes.counts.map((count, bin) => {
      const height = (CHART.half * count) / most;
      const [left, right] = [x(edges[bin]), x(edges[bin + 1])];
      const y = down ? middle + 1 : middle - 1 - height;
      const width = Math.max(1, right - left - 1);
      return count ? svg("rect", { class: `bin ${kind}`, x: left + 0.5, y, width, height }) : null;
    });
  const mean = (outcomes, down) => {
    const [y1, y2] = down ? [middle, middle + CHART.half + 4] : [middle - CHART.half - 4, middle];
    return svg("line", { class: "mean", x1: x(outcomes.mean), x2: x(outcomes.mean), y1, y2 });
  };
  const ticks = Array.from({ length: 5 }, (_, index) => lowest + ((highest - lowest) * index) / 4);
  const anchor = (index) => ["start", "middle", "middle", "middle", "end"][index];
  const label = `Returns after ${own.choice}, above, and ${other.choice}, below`;
  const text = (left, y, side, words) => svg("text", { class: "axis", x: left, y, "text-anchor": side }, words);
  return svg(
    "svg",
    { class: "chart", viewBox: `0 0 ${CHART.width} ${CHART.height}`, role: "img", "aria-label": label },
    bars(own, "own", false),
    bars(other, "other", true),
    svg("line", { class: "grid", x1: CHART.left, x2: CHART.width - CHART.right, y1: middle, y2: middle }),
    mean(own, false),
    mean(other, true),
    ticks.map((value, index) => text(x(value), CHART.axis, anchor(index), points(value))),
    text(CHART.width / 2, CHART.axis + 22, "middle", "return from here on (points); lines: means"),
  );
}
