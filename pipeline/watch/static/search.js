// The 120 orders as a map: what the search believed of each after any visit, and what it knew.

import { shade } from "./colours.js";
import { h, svg, table } from "./dom.js";
import { arrows, interval, number, percent, whole } from "./format.js";
import { ask } from "./sse.js";

const SHADES = {
  mean: { label: "what an order is believed to be worth (posterior mean, points)", of: (order) => order.mean, ends: ["worse", "better"] },
  std: { label: "how uncertain that is (standard deviation, points)", of: (order) => order.std, ends: ["known", "uncertain"] },
  tied: { label: "probability of being within a point of the best", of: (order) => order.tied ?? 0, ends: ["0", "1"] },
};
const MAPS_KEPT = 32;
const SETTLE_MS = 150; // the slider stands still for so long before a map is asked for
let shading = "mean";

export async function open(main, run) {
  const maps = new Map(); // by number of visits
  const asked = new Set(); // numbers of visits whose maps are on their way
  const place = h("div");
  const found = h("div", { class: "columns" });
  const facts = h("div", { class: "facts", role: "status" });
  const note = h("p", { class: "soft" });
  const legend = h("p", { class: "soft legend-line" });
  const slider = h("input", { type: "range", min: 1, max: 1, value: 1, on: { input: () => settle() } });
  const at = h("output");
  const select = h("select", { on: { change: (event) => { shading = event.target.value; draw(); } } },
    Object.entries(SHADES).map(([value, { label }]) => h("option", { value, selected: value === shading }, label)));
  main.append(
    h("div", { class: "bar" }, h("h2", {}, run.name), h("label", {}, "Shaded by ", select)),
    h("label", { class: "slider" }, "After ", slider, " ", at), note,
    h("div", { class: "search" }, h("div", {}, place, legend), facts), found,
  );
  let follows = true; // the slider stands at the end, and goes on with the run
  let shown = null; // the map that is drawn
  let focused = 0; // the order that can be reached by Tab
  let timer = null;
  let isClosed = false;

  function update() {
    const num = [...run.visits.values()].filter((visit) => visit.is_over).length;
    const over = run.numVisits - run.visits.size + num; // those that are no longer told are over
    if (!over) {
      note.textContent = "No visit is over yet: there is nothing to believe.";
      slider.disabled = true;
      return;
    }
    slider.disabled = false;
    slider.max = over;
    if (follows) slider.value = over;
    if (!shown || Number(slider.value) !== shown.num_visits) settle();
  }

  function settle() {
    const num = Number(slider.value);
    follows = num === Number(slider.max);
    at.textContent = `${num} of ${slider.max} visits`;
    clearTimeout(timer);
    timer = setTimeout(() => load(num), SETTLE_MS);
  }

  async function load(num) {
    if (asked.has(num)) return;
    if (!maps.has(num)) {
      note.textContent = "Computing what the run believed …";
      asked.add(num);
      try {
        maps.set(num, await ask(`/api/runs/${encodeURIComponent(run.name)}/orders/${num}`));
      } catch (error) {
        note.textContent = error.message; // and it is not asked for again
        return;
      }
      asked.delete(num);
      if (maps.size > MAPS_KEPT) maps.delete(maps.keys().next().value);
    }
    if (isClosed || Number(slider.value) !== num) return;
    shown = maps.get(num);
    if (!shown) {
      note.textContent = "The run's configuration can't be read, and with it what it believed.";
      return;
    }
    note.textContent = shown.num_observed
      ? `It rests on ${whole(shown.num_observed)} of 120 orders, whose policies reached the compliance threshold` +
        (shown.too_few_observed ? ": too few to say anything of ties and pairs." : ".")
      : "No policy has reached the compliance threshold yet: nothing is observed.";
    if (shown.best !== null && !focused) focused = shown.best;
    draw();
    tell(shown.orders[focused]);
    found.replaceChildren(...conclusions(shown));
  }

  function draw() {
    if (!shown) return;
    const hadFocus = place.contains(document.activeElement);
    const { of, ends } = SHADES[shading];
    const values = shown.orders.map(of).filter((value) => value !== null);
    const [low, high] = shading === "tied" ? [0, 1] : [Math.min(...values), Math.max(...values)];
    const share = (order) => (of(order) === null || high === low ? null : (of(order) - low) / (high - low));
    const types = shown.host_types;
    const blocks = types.map((first, index) => {
      const ofFirst = shown.orders.slice(24 * index, 24 * index + 24); // ids are ranks
      const rows = types.filter((type) => type !== first).map((second, row) => h("div", { class: "row", role: "row" },
        h("span", { class: "second", role: "rowheader" }, `${first} → ${second} → …`),
        ofFirst.slice(6 * row, 6 * row + 6).map((order) => cell(order, share(order)))));
      return h("div", { class: "block", role: "rowgroup" }, rows);
    });
    place.replaceChildren(h("div", { class: "map", role: "grid", "aria-label": "120 orders", on: { keydown: key } }, blocks));
    legend.replaceChildren(
      ...(values.length ? [`${ends[0]} ${number(low)} `, scale(), ` ${number(high)} ${ends[1]}. `] : []),
      "● trained to the threshold, ○ tried and missed, ✕ given up, ★ the best, thick frame: tied with the best. The rest of an order: S op_server, H op_host, D defender, E enterprise, U user.",
    );
    if (hadFocus) place.querySelector("[tabindex='0']")?.focus();
  }

  function cell(order, share) {
    const { background, text } = share === null ? { background: "transparent", text: "inherit" } : shade(share);
    const tries = { trained: "●", retired: "✕" }[order.status] ?? (order.num_episodes ? "○" : "");
    const isBest = order.workflow_id === shown.best;
    return h("button", {
      class: `cell${order.tied !== null && shown.num_observed > 1 ? " tied" : ""}`, role: "gridcell", "data-id": order.workflow_id,
      tabindex: order.workflow_id === focused ? 0 : -1, style: { background, color: text },
      "aria-label": words(order), title: words(order),
      on: {
        focus: () => reach(order.workflow_id), mouseenter: () => tell(order),
      },
    }, h("span", { class: "signs" }, isBest ? "★" : tries), order.order.split(" -> ").slice(2).map(letters).join(" "));
  }

  function reach(id) {
    place.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
    focused = id;
    place.querySelector(`[data-id='${id}']`)?.setAttribute("tabindex", "0");
    tell(shown.orders[id]);
  }

  function key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -6, ArrowDown: 6, Home: -focused, End: 119 - focused };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = Math.min(Math.max(focused + steps[event.key], 0), 119);
    place.querySelector(`[data-id='${next}']`).focus();
  }

  function tell(order) {
    facts.replaceChildren(
      h("h3", {}, arrows(order.order)),
      h("dl", {}, [
        ["Believed to be worth", order.mean === null ? "–" : `${interval(order.mean, order.std)} points (mean ± standard deviation)`],
        ["Evaluated at", order.score ? `${interval(order.score.mean, order.score.stderr)} points (± standard error), ${percent(order.score.compliance)} compliance, ${whole(order.score.num_evaluated)} episodes` : "–"],
        ["Within a point of the best", order.tied === null ? "less than 5 % likely" : `${percent(order.tied)} likely`],
        ["Trained in the search", `${whole(order.num_episodes)} episodes`],
        ["What came of it", status(order)],
      ].map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    );
  }

  return {
    update,
    close: () => {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

const letters = (type) => ({ op_server: "S", op_host: "H", defender: "D", enterprise: "E", user: "U" }[type] ?? type);

function status({ status: its, num_episodes: num }) {
  if (its === "trained") return "reached the compliance threshold at its last visit";
  if (its === "retired") return "given up: it missed the threshold with all that it may have";
  return num ? "missed the threshold so far" : "not tried";
}

function words(order) {
  const worth = order.mean === null ? "nothing is believed of it" : `${interval(order.mean, order.std)} points`;
  return `${arrows(order.order)}: ${worth}; ${status(order)}`;
}

function scale() {
  return h("span", { class: "scale", "aria-hidden": "true" }, Array.from({ length: 12 }, (_, i) => h("span", { style: { background: shade(i / 11).background } })));
}

/** The pairs, the orders that tie, and what would settle it. */
function conclusions({ pairs, settling, orders, too_few_observed: tooFew }) {
  if (!pairs.length) return [];
  const most = Math.max(...pairs.map((pair) => pair.mean + 2 * pair.std));
  const least = Math.min(0, ...pairs.map((pair) => pair.mean - 2 * pair.std));
  const tied = orders.filter((order) => order.tied !== null).sort((a, b) => b.tied - a.tied);
  return [
    h("div", {}, table(`What each pair is worth, in points (mean ± 2 standard deviations)${tooFew ? "; too few orders are observed to rely on it" : ""}`, [
      { label: "The better way round", of: (pair) => `${pair.first} before ${pair.second}` },
      { label: "Points ± s.d.", class: "number", of: (pair) => interval(pair.mean, pair.std) },
      { label: "± 2 s.d.", of: (pair) => whisker(pair, least, most) },
      { label: "Matters", of: (pair) => (pair.matters ? "yes" : "not known") },
    ], pairs)),
    h("div", {},
      h("h3", {}, "What would settle it"),
      h("p", {}, settlingWords(settling)),
      table(`Orders that can't be told from the best: ${tied.length}`, [
        { label: "Order", class: "order", of: (order) => arrows(order.order) },
        { label: "Within a point of the best", class: "number", of: (order) => percent(order.tied) },
        { label: "Points ± s.d.", class: "number", of: (order) => interval(order.mean, order.std) },
        { label: "Status", of: (order) => (order.status === "trained" ? "trained" : "not tried to the end") },
      ], tied.slice(0, 20)),
      tied.length > 20 ? h("p", { class: "soft" }, `The 20 likeliest of ${tied.length}.`) : null),
  ];
}

function settlingWords(settling) {
  if (!settling) return "Too little is known to say.";
  if (settling.num_orders === 1) return "No other order is as likely as 5 % to be within a point of the best one: there is nothing to tell it from.";
  const spread = settling.episode_std === null ? "" : ` One episode's reward has a standard deviation of ${number(settling.episode_std, 3)} points.`;
  const needed = settling.episodes_per_order === null
    ? "How many episodes would tell them apart isn't known."
    : `${whole(settling.episodes_per_order)} further evaluation episodes for each would tell their policies apart by a point.`;
  return `${whole(settling.num_orders)} orders can't be told apart. ${needed}${spread} By how much another training of the same order would differ, a run can't tell: it trains each once.`;
}

/** A mean and two standard deviations to either side, on a scale with 0 in it. */
function whisker({ mean, std }, least, most) {
  const x = (value) => 4 + (112 * (value - least)) / (most - least || 1);
  return svg("svg", { viewBox: "0 0 120 16", width: 120, height: 16, class: "whisker", "aria-hidden": "true" },
    svg("line", { x1: x(0), x2: x(0), y1: 0, y2: 16, class: "zero" }),
    svg("line", { x1: x(mean - 2 * std), x2: x(mean + 2 * std), y1: 8, y2: 8 }),
    svg("circle", { cx: x(mean), cy: 8, r: 3.5 }));
}
