// Learning curves: one for each visit, by episodes, updates or time.

import { line } from "./colours.js";
import { h, table } from "./dom.js";
import { arrows, interval, percent, timeUnit, whole } from "./format.js";
import { Plot, Zoom } from "./plot.js";

const PLACES = {
  total_episodes: "episodes of the run",
  visit_episodes: "episodes of the visit",
  update: "updates of the policy",
  running_s: "time that the run has gone on",
};
const CHARTS = [
  { key: "env_reward", title: "Return: the environment's reward (± standard error)", yLabel: "points per episode", band: "env_reward_stderr" },
  { key: "compliance", title: "Compliance", yLabel: "share, 0 to 1" },
  { key: "total_reward", title: "Total reward, which PPO is trained on", yLabel: "points per episode" },
  { key: "alignment_bonus", title: "Alignment bonus", yLabel: "points per episode" },
  { key: "policy_loss", title: "Policy loss", yLabel: "loss" },
  { key: "value_loss", title: "Value loss", yLabel: "loss" },
  { key: "entropy", title: "Entropy of the policy", yLabel: "nats" },
  { key: "approx_kl", title: "KL divergence of an update", yLabel: "nats" },
  { key: "clip_fraction", title: "Clipped ratios", yLabel: "share of steps" },
  { key: "avg_fixes", title: "Fixes", yLabel: "per episode" },
  { key: "learning_rate", title: "Learning rate", yLabel: "per step" },
];
let place = "total_episodes";
const hidden = new Map(); // run -> visits that are not shown, as long as the page is open

export async function open(main, run) {
  const zoom = new Zoom();
  const plots = CHARTS.map((chart) => [chart, new Plot({ ...chart, xLabel: PLACES[place], zoom })]);
  const without = hidden.get(run.name) ?? hidden.set(run.name, new Set()).get(run.name);
  let filter = "";
  let told = "";
  const list = h("div");
  const note = h("p", { class: "soft" });
  const axis = h("select", { on: { change: (event) => { place = event.target.value; zoom.range = null; update(); } } },
    Object.entries(PLACES).map(([value, text]) => h("option", { value, selected: value === place }, text)));
  const field = h("input", { type: "search", placeholder: "op_server, finals, 12 …", on: { input: (event) => { filter = event.target.value.toLowerCase(); update(); } } });
  main.append(
    h("div", { class: "bar" }, h("h2", {}, run.name),
      h("label", {}, "Over ", axis), h("label", {}, "Visits with ", field),
      h("button", { on: { click: () => zoom.set(null) } }, "Show all (0)")),
    note,
    h("div", { class: "plots" }, plots.map(([, plot]) => plot.element)),
    list,
  );

  const fits = (visit) => filter.split(/\s+/).every((word) => name(visit).toLowerCase().includes(word));

  function update() {
    const visits = [...run.visits.values()].filter(fits);
    const isShown = (visit) => !without.has(visit.index);
    const unit = place === "running_s" ? timeUnit(run.now.running_s) : { seconds: 1 };
    const xLabel = unit.name ? `${unit.name} that the run has gone on` : PLACES[place];
    for (const [{ key, band }, plot] of plots) {
      plot.show(visits.filter((each) => run.curves.has(each.index)).map((visit) => {
        const columns = run.curves.get(visit.index);
        return {
          id: visit.index, label: name(visit), ...line(visit.index), faint: !isShown(visit),
          x: unit.seconds === 1 ? columns[place] : columns[place].map((each) => each / unit.seconds), y: columns[key],
          band: band ? columns[band] : null,
        };
      }), [], xLabel);
    }
    const most = Math.max(1, ...[...run.curves.values()].map((each) => each.updatesPerPoint));
    note.textContent = `${whole(visits.length)} of ${whole(run.numVisits)} visits. ` +
      (most > 1 ? `A point is a mean over up to ${most} updates. ` : "A point is an update. ") +
      "Rewards are means over the episodes that an update learned from, with sampled actions. Drag to zoom.";
    rows(visits);
  }

  function rows(visits) {
    const text = JSON.stringify(visits);
    if (text === told) return;
    told = text;
    const toggle = (visit) => (event) => {
      if (event.target.checked) without.delete(visit.index);
      else without.add(visit.index);
      update();
    };
    list.replaceChildren(table("Visits, and what came of them", [
      {
        label: "Visit",
        of: (visit) => h("label", {}, h("input", { type: "checkbox", checked: !without.has(visit.index), on: { change: toggle(visit) } }), ` ${visit.iteration ?? "?"}`),
      },
      { label: "", of: (visit) => swatch(visit.index) },
      { label: "Order", class: "order", of: (visit) => arrows(visit.order) },
      { label: "Part", of: (visit) => visit.part },
      { label: "Ended by", of: (visit) => (visit.is_over ? visit.reason : "goes on") },
      { label: "Greedy (points ± s.e.)", class: "number", of: ({ score }) => interval(score?.greedy_mean, score?.greedy_stderr) },
      { label: "Sampled (points ± s.e.)", class: "number", of: ({ score }) => interval(score?.mean, score?.stderr) },
      { label: "Compliance", class: "number", of: ({ score }) => percent(score?.compliance) },
      { label: "Evaluated on", class: "number", of: ({ score }) => (score ? `${whole(score.num_evaluated)} episodes` : "–") },
    ], visits));
  }

  return { update, close: () => plots.forEach(([, plot]) => plot.close()) };
}

function name(visit) {
  return `visit ${visit.iteration ?? "?"} (${visit.part}) ${visit.order}`;
}

function swatch(index) {
  const { color, dash } = line(index);
  return h("span", { class: dash.length ? "swatch dashed" : "swatch", style: { background: color, "border-color": color } });
}
