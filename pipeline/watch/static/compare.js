// Runs side by side: curves over one another, scores with intervals, and in what their configurations differ.

import { line } from "./colours.js";
import { h, svg, table } from "./dom.js";
import { arrows, interval, percent, whole } from "./format.js";
import { Plot, Zoom } from "./plot.js";
import { Run } from "./run.js";
import { badge } from "./runs.js";
import { ask } from "./sse.js";

const EVERY_MS = 10_000;
const CHARTS = [
  { key: "env_reward", title: "Return: the environment's reward (± standard error)", yLabel: "points per episode", band: "env_reward_stderr" },
  { key: "compliance", title: "Compliance", yLabel: "share, 0 to 1" },
  { key: "total_reward", title: "Total reward, which PPO is trained on", yLabel: "points per episode" },
  { key: "entropy", title: "Entropy of the policy", yLabel: "nats" },
];
const X_LABEL = "episodes of the run";
const SCORES = [
  { title: "Greedy: the likeliest actions", mean: "best_greedy_env_reward_mean", stderr: "best_greedy_env_reward_stderr" },
  { title: "Sampled actions", mean: "best_env_reward_mean", stderr: "best_env_reward_stderr" },
];
export const ALL = "*"; // instead of names: the runs that there are, so many at most
const MOST = 40;
let onlyDifferent = true;

export async function open(main, asked) {
  if (!asked.length) {
    main.append(h("h2", {}, "Compare"), h("p", { class: "empty" }, "Choose runs in ", h("a", { href: "#runs" }, "the list"), "."));
    return { close: () => {} };
  }
  const zoom = new Zoom();
  const plots = CHARTS.map((chart) => [chart, new Plot({ ...chart, xLabel: X_LABEL, zoom })]);
  const [legend, scores, differences] = [h("ul", { class: "legend" }), h("div"), h("div")];
  main.append(
    h("div", { class: "bar" }, h("h2", {}, "Compare"), h("button", { on: { click: () => zoom.set(null) } }, "Show all (0)")),
    legend, h("div", { class: "plots" }, plots.map(([, plot]) => plot.element)), scores, differences,
  );

  async function load() {
    const names = asked[0] === ALL ? await all() : asked;
    const found = await Promise.all(names.map(async (name) => {
      const path = `/api/runs/${encodeURIComponent(name)}`;
      const [details, news] = await Promise.all([ask(path), ask(`${path}/snapshot`)]);
      if (!details || !news) return null;
      const run = new Run(name);
      run.take(news);
      return { details, run };
    }));
    const there = found.filter(Boolean);
    if (there.length && (asked[0] === ALL || there.length === found.length)) draw(there);
    else if (asked[0] === ALL) legend.replaceChildren(h("li", {}, "No run has begun yet."));
  }

  function draw(found) {
    legend.replaceChildren(...found.map(({ run }, index) => h("li", {},
      h("span", { class: "swatch", style: { background: line(index).color } }), run.name, " ", badge(run.now.state, run.now.why))));
    for (const [{ key, band }, plot] of plots) {
      plot.show(found.flatMap(({ run }, index) => [...run.visits.values()].filter((visit) => run.curves.has(visit.index)).map((visit) => {
        const columns = run.curves.get(visit.index);
        return {
          id: `${run.name} ${visit.index}`, label: `${run.name}, visit ${visit.iteration ?? "?"} (${visit.part}) ${visit.order}`,
          ...line(index), x: columns.total_episodes, y: columns[key], band: band ? columns[band] : null,
        };
      })), [], X_LABEL);
    }
    scores.replaceChildren(h("h3", {}, "What the runs' best policies are worth, by fresh episodes (± 2 standard errors)"), ...SCORES.map((each) => chart(each, found)),
      table("What was found", [
        { label: "Run", of: ({ run }) => run.name },
        { label: "Best order", class: "order", of: ({ details }) => arrows(details.found?.best_workflow) },
        { label: "Greedy (points ± s.e.)", class: "number", of: ({ details: { found: its } }) => interval(its?.best_greedy_env_reward_mean, its?.best_greedy_env_reward_stderr) },
        { label: "Sampled (points ± s.e.)", class: "number", of: ({ details: { found: its } }) => interval(its?.best_env_reward_mean, its?.best_env_reward_stderr) },
        { label: "Compliance, greedy", class: "number", of: ({ details: { found: its } }) => percent(its?.best_greedy_compliance) },
        { label: "Episodes", class: "number", of: ({ run }) => `${whole(run.now.episodes)} of ${whole(run.now.budget)}` },
        { label: "Digest", of: ({ details: { found: its } }) => h("code", { class: "digest" }, its?.digest ?? "–") },
      ], found),
      h("p", { class: "soft" }, "Intervals are over evaluation episodes of one training each. How much another seed would change is not in them: train several."));
    drawDifferences(found);
  }

  function drawDifferences(found) {
    const all = [...new Set(found.flatMap(({ details }) => (details.configuration ?? []).map((each) => each.name)))];
    const rows = all.map((name) => {
      const each = found.map(({ details }) => details.configuration?.find((value) => value.name === name));
      const values = each.map((value) => value?.value ?? "(can't be read)");
      return { name, values, decides: each.some((value) => value?.decides_results), differs: new Set(values).size > 1 };
    });
    const shown = onlyDifferent ? rows.filter((row) => row.differs) : rows;
    const choice = h("input", { type: "checkbox", checked: onlyDifferent, on: { change: (event) => { onlyDifferent = event.target.checked; drawDifferences(found); differences.querySelector("input").focus(); } } });
    differences.replaceChildren(
      h("div", { class: "bar" }, h("h3", {}, "Configurations"), h("label", {}, choice, " only what differs")),
      shown.length ? table(`${rows.filter((row) => row.differs).length} of ${rows.length} values differ`, [
        { label: "Value", of: (row) => `${row.differs ? "≠ " : ""}${row.name}` },
        ...found.map(({ run }, index) => ({ label: run.name, of: (row) => row.values[index] || "–" })),
        { label: "Results depend on it", of: (row) => (row.decides ? "yes" : "no") },
      ], shown, (row) => ({ class: row.differs ? "differs" : null })) : h("p", { class: "soft" }, "They are the same."),
    );
  }

  await load();
  const timer = setInterval(() => document.hidden || load(), EVERY_MS);
  return {
    close: () => {
      clearInterval(timer);
      plots.forEach(([, plot]) => plot.close());
    },
  };
}

/** The names of all runs, or of those that wrote something last. */
async function all() {
  const rows = (await ask("/api/runs")) ?? [];
  return rows.sort((a, b) => b.last_s - a.last_s).slice(0, MOST).map((row) => row.name).sort();
}

/** Scores as points with intervals, one row for each run. */
function chart({ title, mean, stderr }, found) {
  const rows = found.flatMap(({ run, details: { found: its } }, index) => (its && its[mean] !== null ? [{ name: run.name, index, mean: its[mean], spread: 2 * its[stderr] }] : []));
  if (!rows.length) return null;
  const [low, high] = [Math.min(...rows.map((row) => row.mean - row.spread)), Math.max(...rows.map((row) => row.mean + row.spread))];
  const margin = (high - low) * 0.08 || 1;
  const x = (value) => 190 + (480 * (value - low + margin)) / (high - low + 2 * margin);
  const y = (place) => 14 + 24 * place;
  const ticks = [low, (low + high) / 2, high];
  const bottom = y(rows.length);
  return h("figure", { class: "plot scores" }, h("figcaption", {}, `${title}, points per episode`),
    svg("svg", { viewBox: `0 0 800 ${bottom + 22}`, role: "img", "aria-label": `${title}: ${rows.map((row) => `${row.name} ${interval(row.mean, row.spread)}`).join(", ")}` },
      ticks.map((tick) => [svg("line", { x1: x(tick), x2: x(tick), y1: 4, y2: bottom, class: "zero" }), svg("text", { x: x(tick), y: bottom + 14, "text-anchor": "middle" }, tick.toFixed(2))]),
      rows.map((row, place) => [
        svg("text", { x: 180, y: y(place) + 4, "text-anchor": "end" }, row.name.length > 26 ? `${row.name.slice(0, 25)}…` : row.name),
        svg("line", { x1: x(row.mean - row.spread), x2: x(row.mean + row.spread), y1: y(place), y2: y(place), stroke: line(row.index).color, "stroke-width": 3 }),
        svg("circle", { cx: x(row.mean), cy: y(place), r: 5, fill: line(row.index).color }),
        svg("text", { x: 690, y: y(place) + 4 }, interval(row.mean, row.spread)),
      ])));
}
