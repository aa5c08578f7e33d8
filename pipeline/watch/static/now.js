// How far a run has come: by part, how fast, where the seconds go, and what went wrong when.

import { line, themed } from "./colours.js";
import { h } from "./dom.js";
import { duration, moment, number, timeUnit, whole } from "./format.js";
import { Plot } from "./plot.js";
import { ask } from "./sse.js";

const MARKS = {
  run_started: (mark) => (mark.num ? "resumed" : "started"),
  run_finished: () => "ended",
  episodes_lost: (mark) => `${mark.num} lost`,
};
const WORDS = {
  collection: "waiting for episodes", learner: "computing updates", search: "searching", evaluation: "evaluating", idle: "the rest",
};

export async function open(main, run) {
  const [facts, parts, seconds, warnings, faults] = [1, 2, 3, 4, 5].map(() => h("div"));
  const plot = new Plot({ title: "Episodes used", xLabel: "", yLabel: "episodes", fromZero: true });
  const speed = new Plot({ title: "Speed", xLabel: "", yLabel: "episodes/s", fromZero: true, zoom: plot.zoom });
  main.append(
    h("h2", {}, run.name), warnings, parts,
    h("div", { class: "columns" }, facts, seconds),
    h("div", { class: "plots" }, plot.element, speed.element), faults,
  );
  const details = await ask(`/api/runs/${encodeURIComponent(run.name)}`);
  if (details?.faults) {
    faults.replaceChildren(h("details", {}, h("summary", {}, "Stacks of workers that died (worker_faults.log)"), h("pre", {}, details.faults)));
  }

  function update() {
    const { now } = run;
    warnings.replaceChildren(...notes(now));
    parts.replaceChildren(...now.parts.map(bar));
    facts.replaceChildren(h("h3", {}, "How it goes"), h("dl", {}, factsOf(now).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
    seconds.replaceChildren(...(now.seconds ? where(now.seconds) : []));
    const { running_s: times, episodes: y } = run.timeline ?? { running_s: [], episodes: [] };
    const unit = timeUnit(now.running_s);
    const marks = run.marks.map((mark) => ({
      x: mark.running_s / unit.seconds, label: MARKS[mark.kind](mark), low: mark.kind !== "episodes_lost",
      color: mark.kind === "episodes_lost" ? themed("bad") : themed("soft"),
    }));
    const xLabel = `${unit.name} that the run has gone on`;
    const { x, values } = speeds(times, y);
    const inUnit = (each) => each / unit.seconds;
    plot.show([{ id: "episodes", label: "episodes", ...line(0), x: times.map(inUnit), y }], marks, xLabel);
    speed.show([{ id: "speed", label: "episodes/s", ...line(0), x: x.map(inUnit), y: values }], marks, xLabel);
  }

  return {
    update,
    close: () => {
      plot.close();
      speed.close();
    },
  };
}

function factsOf(now) {
  const goesOn = now.state === "running";
  return [
    ["State", `${now.state}: ${now.why}`],
    ["Speed", now.episodes_per_s === null ? "–" : `${number(now.episodes_per_s, 3)} episodes/s ${goesOn ? "(last 30 s)" : "(mean of the last process)"}`],
    ["Time left", goesOn ? (now.left_s === null ? "–" : `about ${duration(now.left_s)} at this speed`) : "–"],
    ["Has gone on for", duration(now.running_s)],
    ["Updates", whole(now.updates)],
    ["Workers", `${whole(now.workers)}, as configured; ${whole(now.num_rebuilds)} times replaced in the last process`],
    ["Slots", `${whole(now.slots)}, as configured`],
    ["Episodes played again", `${whole(now.num_replayed)}, because a worker was lost`],
    ["Last written", moment(now.last_s)],
  ];
}

function bar({ part, episodes, budget }) {
  const share = budget ? Math.min(1, episodes / budget) : 1;
  return h("div", { class: "part" },
    h("span", { class: "label" }, part),
    h("progress", { max: 1, value: share, "aria-label": part }),
    h("span", { class: "value" }, `${whole(episodes)} of ${whole(budget)} episodes`));
}

/** Where time goes, as one bar and in words. */
function where({ by, of }) {
  const total = Object.values(by).reduce((sum, each) => sum + each, 0) || 1;
  const entries = Object.entries(by);
  const color = (index) => line(index).color;
  return [
    h("h3", {}, "Where the seconds go"),
    h("p", { class: "soft" }, `Of ${of}.`),
    h("div", { class: "stack", "aria-hidden": "true" }, entries.map(([, seconds], index) => h("span", { style: { width: `${(100 * seconds) / total}%`, background: color(index) } }))),
    h("ul", { class: "legend" }, entries.map(([name, seconds], index) => h("li", {},
      h("span", { class: "swatch", style: { background: color(index) } }),
      `${WORDS[name] ?? name}: ${duration(seconds)} (${Math.round((100 * seconds) / total)} %)`))),
  ];
}

function notes(now) {
  const texts = [];
  if (["crashed", "damaged"].includes(now.state)) texts.push(`${now.state}: ${now.why}`);
  for (const [file, num] of Object.entries(now.damaged_lines)) texts.push(`${file}: ${whole(num)} lines can't be read, and are left out`);
  for (const [file, why] of Object.entries(now.unreadable)) texts.push(`${file} can't be read: ${why}`);
  return texts.map((text) => h("p", { class: "warning" }, text));
}

/** Speed between points of the time line, over at least a hundredth of all time, so that it isn't noise. */
function speeds(x, y) {
  const [places, values] = [[], []];
  const least = x.length ? x[x.length - 1] / 100 : 0;
  let from = 0;
  for (let i = 1; i < x.length; i++) {
    if (x[i] - x[from] < least || x[i] <= x[from]) continue;
    places.push((x[i] + x[from]) / 2);
    values.push((y[i] - y[from]) / (x[i] - x[from]));
    from = i;
  }
  return { x: places, values };
}
