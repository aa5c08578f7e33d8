// All runs: sorted by any column, chosen for comparison.

import { h, table } from "./dom.js";
import { arrows, interval, moment, percent, short, whole } from "./format.js";
import { ask } from "./sse.js";

const EVERY_MS = 2000;
const SYMBOLS = { running: "▶", finished: "✓", stopped: "■", crashed: "✕", damaged: "!" };
const chosen = new Set(); // names, as long as the page is open
let sorting = { key: "last_s", down: true };

/** A run's state, as a sign and a word. */
export function badge(state, why) {
  return h("span", { class: `badge ${state}`, title: why }, state ? `${SYMBOLS[state] ?? "?"} ${state}` : "");
}

const COLUMNS = [
  { key: "name", label: "Run", of: (row) => h("a", { href: `#now/${encodeURIComponent(row.name)}` }, row.name) },
  { key: "state", label: "State", of: (row) => badge(row.state, row.why) },
  { key: "episodes", label: "Episodes", class: "number", of: (row) => `${whole(row.episodes)} of ${whole(row.budget)}` },
  { key: "red_agent", label: "Red", of: (row) => row.red_agent ?? "–" },
  { key: "seed", label: "Seed", class: "number", of: (row) => row.seed ?? "–" },
  {
    key: "best_greedy_env_reward_mean", label: "Best, greedy (points ± s.e.)", class: "number",
    of: (row) => interval(row.best_greedy_env_reward_mean, row.best_greedy_env_reward_stderr),
  },
  { key: "best_greedy_compliance", label: "Compliance", class: "number", of: (row) => percent(row.best_greedy_compliance) },
  { key: "best_workflow", label: "Best order", class: "order", of: (row) => arrows(row.best_workflow) },
  { key: "began_s", label: "Begun", class: "number", of: (row) => moment(row.began_s) },
  { key: "last_s", label: "Last written", class: "number", of: (row) => moment(row.last_s) },
  { key: "digest", label: "Digest", of: (row) => h("code", { title: row.digest }, short(row.digest)) },
];

export async function open(main) {
  const place = h("div");
  const link = h("a", { class: "button", href: "#compare" }, "Compare");
  main.append(h("div", { class: "bar" }, h("h2", {}, "Runs"), link), place);
  let rows = [];
  let told = "";

  function choose(name, isChosen) {
    if (isChosen) chosen.add(name);
    else chosen.delete(name);
    lead();
  }

  function lead() {
    link.href = `#compare/${[...chosen].map(encodeURIComponent).join(",")}`;
    link.textContent = `Compare (${chosen.size})`;
    link.setAttribute("aria-disabled", chosen.size ? "false" : "true");
  }

  function draw() {
    const focused = document.activeElement?.dataset?.focus;
    const sorted = [...rows].sort((a, b) => compared(a[sorting.key], b[sorting.key]) * (sorting.down ? -1 : 1));
    const columns = COLUMNS.map((column) => ({ ...column, label: header(column) }));
    const choice = {
      label: h("span", { class: "unseen" }, "Compare"),
      of: (row) => h("input", {
        type: "checkbox", "aria-label": `compare ${row.name}`, "data-focus": `choose ${row.name}`,
        checked: chosen.has(row.name), on: { change: (event) => choose(row.name, event.target.checked) },
      }),
    };
    place.replaceChildren(
      rows.length
        ? table(`${rows.length} ${rows.length === 1 ? "run" : "runs"}`, [columns[0], choice, ...columns.slice(1)], sorted)
        : h("p", { class: "empty" }, "No runs yet. ", h("code", {}, "python run.py"), " starts one."),
      h("ul", { class: "notes" }, sorted.filter((row) => ["crashed", "damaged"].includes(row.state))
        .map((row) => h("li", {}, h("strong", {}, row.name), `: ${row.why}`))),
    );
    lead();
    if (focused) [...place.querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === focused)?.focus();
  }

  function header(column) {
    const isSorted = sorting.key === column.key;
    const sort = () => {
      sorting = { key: column.key, down: isSorted ? !sorting.down : true };
      draw();
    };
    return h("button", { class: "sort", "data-focus": `sort ${column.key}`, on: { click: sort } },
      column.label, h("span", { "aria-hidden": "true" }, isSorted ? (sorting.down ? " ▼" : " ▲") : ""),
      h("span", { class: "unseen" }, isSorted ? (sorting.down ? ", sorted downwards" : ", sorted upwards") : ""));
  }

  async function load() {
    const found = await ask("/api/runs");
    const text = JSON.stringify(found);
    if (found && text !== told) {
      [rows, told] = [found, text];
      for (const name of chosen) if (!rows.some((row) => row.name === name)) chosen.delete(name);
      draw();
    }
  }

  await load();
  const timer = setInterval(() => document.hidden || load(), EVERY_MS);
  return { close: () => clearInterval(timer) };
}

function compared(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  return a < b ? -1 : 1;
}
