// What stands beside the picture: the step in words, what the policy thinks and sees, tables, all steps as text.

import { fill, html } from "./dom.js";
import { told } from "./timeline.js";
import { REMEMBERED, outcome, percentage, points, spoken } from "./words.js";

/** The last step in words: both moves, and what it cost. */
export function stepPanel(element, replay, frame) {
  const rows = [];
  if (frame.blue !== null) {
    const order = { compliant: "in the workflow's order", not_compliant: "not in the workflow's order" }[frame.verdict];
    rows.push(row("Blue", "blue", [spoken(frame.blue), outcome(frame.blue), order].filter(Boolean).join(", ")));
    rows.push(row("Red", "red", [spoken(frame.red), outcome(frame.red)].filter(Boolean).join(", ")));
    const costs = frame.hosts.filter((host) => host.cost).map((host) => `${host.name} ${points(host.cost)}`);
    if (frame.action_cost) costs.push(`Restore ${points(frame.action_cost)}`);
    rows.push(row("Reward", "", `${points(frame.reward)}${costs.length ? ` (${costs.join(", ")})` : ""}`));
  } else {
    rows.push(html("p", {}, told(frame)));
  }
  rows.push(row("Return so far", "", `${points(frame.total)} of ${points(replay.total_reward)}`));
  fill(element, html("h3", {}, frame.step ? `Step ${frame.step}` : "Beginning"), rows);
}

function row(name, side, text) {
  return html("p", { class: "fact" }, html("b", { class: side && `side-${side}` }, name), " ", text);
}

/** What the policy thinks: its likeliest choices, which it took, what the critic expects. */
export function thoughtPanel(element, replay, frame, tryChoice) {
  const thought = frame.thought;
  if (thought === null) {
    fill(element, html("h3", {}, "What comes next"), html("p", {}, "Nothing: the episode is over."));
    return;
  }
  const name = thought.choice === thought.action ? thought.choice : `${thought.choice} (${thought.action})`;
  const title = thought.probability === null ? "What comes next" : "What the policy thinks now";
  const parts = [html("h3", {}, title), row("Blue chooses", "blue", name)];
  const listed = thought.likeliest.some(([choice]) => choice === thought.choice);
  const taken = listed || thought.probability === null ? [] : [[thought.choice, thought.probability]];
  const choices = [...thought.likeliest, ...taken];
  if (choices.length) {
    const rows = choices.map(([choice, probability]) => {
      const isTaken = choice === thought.choice;
      return html(
        "tr",
        { class: isTaken ? "taken" : "" },
        html("td", {}, isTaken ? `▸ ${choice}` : choice),
        html("td", { class: "number" }, percentage(probability)),
        html("td", { class: "meter-cell" }, html("meter", { min: 0, max: 1, value: probability, "aria-hidden": true })),
        html("td", {}, tryChoice && !isTaken ? trying(choice, tryChoice) : ""),
      );
    });
    parts.push(html("table", { class: "likeliest" }, html("tbody", {}, rows)));
  } else {
    parts.push(html("p", { class: "faint" }, "This agent has no probabilities."));
  }
  if (thought.value !== null) {
    const meaning = html("span", { class: "faint" }, `: ${replay.value_is}.`);
    parts.push(html("p", { class: "fact" }, html("b", {}, "Value"), ` ${points(thought.value)}`, meaning));
  }
  fill(element, parts);
}

function trying(choice, tryChoice) {
  return html("button", { type: "button", title: `Play on with ${choice}`, click: () => tryChoice(choice) }, "try");
}

/** What Blue sees: the hosts that its table says something of, and what it remembers. */
export function seenPanel(element, frame) {
  const told = frame.hosts.filter((host) => host.activity !== "None" || host.taken_for !== "No");
  const rows = told.map(({ name, activity, taken_for: condition }) =>
    html("tr", {}, html("th", { scope: "row" }, name), html("td", {}, activity), html("td", {}, condition)),
  );
  const head = ["Host", "Activity", "Compromised"].map((name) => html("th", { scope: "col" }, name));
  const table = html("table", {}, html("thead", {}, html("tr", {}, head)), html("tbody", {}, rows));
  const memory = Object.entries(frame.remembers).map(([kind, what]) => remembered(kind, what));
  fill(
    element,
    html("h3", {}, "What it sees"),
    told.length ? table : html("p", {}, "Its table says of every host: no activity, not compromised."),
    memory.length ? [html("h4", {}, "What it remembers"), memory] : null,
  );
}

function remembered(kind, what) {
  const meaning = REMEMBERED[kind] ?? kind;
  if (kind === "time") {
    return html("p", { class: "fact" }, `${what.length} tenth${what.length > 1 ? "s" : ""} ${meaning}`);
  }
  const names = what.filter(Boolean).join(", ");
  return html("p", { class: "fact" }, html("span", { class: "faint" }, `${meaning}${names && ": "}`), names);
}

/** CybORG's own tables. */
export function tablesPanel(element, frame) {
  const table = (title, text) =>
    html("div", {}, html("h4", {}, title), html("pre", { tabindex: 0, "aria-label": title }, text));
  fill(element, table("What Blue knows", frame.blue_table), table("What is the case", frame.true_table));
}

function link(step, seek) {
  return html("button", { type: "button", class: "plain", click: () => seek(step) }, String(step));
}

/** All steps as text; a click on one goes there. Made once, when it is first opened. */
export function stepsTable(replay, seek) {
  const head = ["Step", "Blue", "Red", "Reward", "Return", "Under Red"].map((name) =>
    html("th", { scope: "col", class: name.startsWith("Re") && name !== "Red" ? "number" : null }, name),
  );
  const move = (each) => (each.success === false ? `${spoken(each)}, failed` : spoken(each));
  const rows = replay.frames.slice(1).map((frame) => {
    const held = frame.hosts.filter((host) => host.held !== "None");
    return html(
      "tr",
      { "data-step": frame.step },
      html("td", {}, link(frame.step, seek)),
      html("td", {}, move(frame.blue) + (frame.verdict === "not_compliant" ? " ■" : "")),
      html("td", {}, move(frame.red)),
      html("td", { class: "number" }, points(frame.reward)),
      html("td", { class: "number" }, points(frame.total)),
      html("td", {}, held.map((host) => (host.held === "Privileged" ? `${host.name}*` : host.name)).join(", ")),
    );
  });
  const table = html("table", { class: "steps" }, html("thead", {}, html("tr", {}, head)), html("tbody", {}, rows));
  return html("div", { class: "steps-scroller", tabindex: 0, role: "region", "aria-label": "All steps" }, table);
}
