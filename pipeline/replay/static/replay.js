// A replay: mount(element, source) draws it and returns what controls it.

import { fill, html, svg } from "./dom.js";
import { ForkPanel } from "./fork.js";
import { drawNetwork } from "./network.js";
import { seenPanel, stepPanel, stepsTable, tablesPanel, thoughtPanel } from "./panels.js";
import { Timeline, told } from "./timeline.js";
import { points } from "./words.js";

const FORMAT = 1;
const SPEEDS = [1, 2, 4, 8, 16, 32];

/**
 * Draw a replay in an element.
 *
 * `source` is an episode, as `pipeline.replay.episode.as_json` writes it, or an async function that fetches:
 * `source("episode")` gives an episode, and `source("fork", {moment, choice})` what would have come of another choice.
 * Returns `{seek, play, pause, close}`, once the episode is there.
 */
export async function mount(element, source) {
  const isFetched = typeof source === "function";
  const replay = isFetched ? await fetched(element, source) : source;
  if (replay.replay_format !== FORMAT) throw new Error("this replay was written by another version");
  const ask = isFetched ? (moment, choice) => source("fork", { moment, choice }) : null;
  return new Player(element, replay, ask);
}

async function fetched(element, source) {
  const tell = (text) => fill(element, html("p", { role: "status" }, text));
  tell("Playing the episode ...");
  try {
    return await source("episode");
  } catch (error) {
    tell(`The episode can't be shown: ${error instanceof Error ? error.message : error}`);
    throw error;
  }
}

class Player {
  constructor(element, replay, ask) {
    this.replay = replay;
    this.step = 0;
    this.timer = null;
    this.speed = 2;
    const seek = (step) => {
      this.pause();
      this.seek(step);
    };
    this.network = svg("svg", { role: "img", "aria-label": "The network" });
    this.timeline = new Timeline(replay, seek);
    this.fork = new ForkPanel(replay, ask, seek);
    this.panels = { step: section("now"), thought: section("thought"), seen: section("seen") };
    this.tables = html("div", { class: "tables" });
    this.makeControls();
    this.live = html("p", { class: "visually-hidden", "aria-live": "polite" });
    const picture = html("div", { class: "picture" }, this.network, legend());
    const side = html("div", { class: "side" }, this.panels.step, this.panels.thought);
    this.root = html(
      "div",
      {
        class: "replay",
        tabindex: 0,
        role: "group",
        "aria-label": "Replay of an episode",
        keydown: (event) => this.key(event),
      },
      headline(replay),
      html("div", { class: "stage" }, picture, side),
      this.controls,
      this.timeline.element,
      html("div", { class: "columns" }, this.panels.seen, this.fork.element),
      details("CybORG's own tables", () => this.tables),
      details("All steps as text", () => stepsTable(replay, seek)),
      this.live,
    );
    fill(element, this.root);
    this.resized = new ResizeObserver(() => this.layOut());
    this.resized.observe(this.root);
    this.layOut();
  }

  makeControls() {
    const button = (text, label, click) =>
      html("button", { type: "button", "aria-label": label, title: label, click }, text);
    const { num_steps } = this.replay;
    this.playButton = button("▶", "Play (space)", () => this.toggle());
    const input = () => this.jump(Number(this.slider.value));
    this.slider = html("input", { type: "range", min: 0, max: num_steps, value: 0, "aria-label": "Step", input });
    this.count = html("output", { class: "count" });
    this.speedName = html("output", { class: "speed" });
    this.controls = html(
      "div",
      { class: "controls" },
      button("❘◀", "To the beginning (Home)", () => this.jump(0)),
      button("◂", "A step back (left arrow)", () => this.jump(this.step - 1)),
      this.playButton,
      button("▸", "A step on (right arrow)", () => this.jump(this.step + 1)),
      button("▶❘", "To the end (End)", () => this.jump(num_steps)),
      this.slider,
      this.count,
      button("−", "Slower (-)", () => this.setSpeed(-1)),
      this.speedName,
      button("+", "Faster (+)", () => this.setSpeed(1)),
    );
    this.setSpeed(0);
  }

  /** Go to a step, 0 for the beginning. */
  seek(step) {
    const { replay } = this;
    this.step = Math.min(replay.num_steps, Math.max(0, step));
    const frame = replay.frames[this.step];
    drawNetwork(this.network, replay, frame, this.pixels);
    this.timeline.show(this.step);
    this.slider.value = this.step;
    this.slider.setAttribute("aria-valuetext", told(frame));
    this.count.textContent = `${this.step} / ${replay.num_steps}`;
    stepPanel(this.panels.step, replay, frame);
    const canTry = this.fork.ask !== null && replay.no_fork === null;
    thoughtPanel(this.panels.thought, replay, frame, canTry ? (choice) => this.fork.play(choice) : null);
    seenPanel(this.panels.seen, frame);
    tablesPanel(this.tables, frame);
    this.fork.show(this.step);
    if (this.timer === null) this.live.textContent = told(frame);
  }

  jump(step) {
    this.pause();
    this.seek(step);
  }

  play() {
    if (this.timer !== null) return;
    if (this.step === this.replay.num_steps) this.seek(0);
    const next = () => {
      this.seek(this.step + 1);
      if (this.step === this.replay.num_steps) this.pause();
      else this.timer = setTimeout(next, 1000 / this.speed);
    };
    this.timer = setTimeout(next, 1000 / this.speed);
    this.showPlaying();
  }

  pause() {
    clearTimeout(this.timer);
    this.timer = null;
    this.showPlaying();
  }

  toggle() {
    if (this.timer === null) this.play();
    else this.pause();
  }

  /** Stop, and watch nothing any more. */
  close() {
    this.pause();
    this.resized.disconnect();
  }

  setSpeed(by) {
    const place = SPEEDS.indexOf(this.speed) + by;
    this.speed = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, place))];
    this.speedName.textContent = this.speed === 1 ? "1 step/s" : `${this.speed} steps/s`;
  }

  showPlaying() {
    const isPlaying = this.timer !== null;
    this.playButton.textContent = isPlaying ? "⏸" : "▶";
    this.playButton.setAttribute("aria-label", isPlaying ? "Pause (space)" : "Play (space)");
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target instanceof HTMLSelectElement) return;
    const onButton = event.target instanceof HTMLButtonElement || event.target.localName === "summary";
    const actions = {
      ArrowLeft: () => this.jump(this.step - 1),
      ArrowRight: () => this.jump(this.step + 1),
      Home: () => this.jump(0),
      End: () => this.jump(this.replay.num_steps),
      "+": () => this.setSpeed(1),
      "=": () => this.setSpeed(1),
      "-": () => this.setSpeed(-1),
      " ": onButton ? null : () => this.toggle(),
    };
    const action = Object.hasOwn(actions, event.key) ? actions[event.key] : null;
    if (!action) return;
    event.preventDefault();
    action();
  }

  layOut() {
    const width = this.network.parentElement.clientWidth || 960;
    if (width === this.pixels) return;
    this.pixels = width;
    this.timeline.draw(this.timeline.scroller.clientWidth || width);
    this.seek(this.step);
  }
}

function section(kind) {
  return html("section", { class: `panel ${kind}` });
}

function details(title, content) {
  const element = html("details", {}, html("summary", {}, title));
  element.addEventListener("toggle", () => {
    if (element.open && element.childElementCount === 1) element.append(content());
  });
  return element;
}

function headline(replay) {
  const { agent, game } = replay;
  const who = agent.run === undefined ? String(agent.name ?? "?") : `Policy of ${agent.run}, ${agent.actions} actions`;
  const faint = (...parts) => html("p", { class: "faint" }, parts);
  const compliance = replay.compliance === null ? "" : `, compliance ${replay.compliance.toFixed(2)}`;
  const played = `Profile ${game.profile ?? "?"}, engine ${game.engine ?? "?"}`;
  return html(
    "header",
    {},
    html("h2", {}, who, html("span", { class: "versus" }, " against "), replay.red_agent),
    agent.workflow_order === undefined ? null : faint(`Workflow: ${agent.workflow_order}`),
    html("p", { class: "score" }, `Return ${points(replay.total_reward)} in ${replay.num_steps} steps${compliance}`),
    faint(`${replay.which}. ${played}, environment seed ${replay.environment_seed}.`),
    faint("Again: ", html("code", {}, replay.again)),
  );
}

function legend() {
  const item = (name, kind, attributes, text) => {
    const shape = svg(name, { class: kind, ...attributes });
    const key = svg("svg", { class: "key", viewBox: "0 0 20 20", "aria-hidden": true }, shape);
    return html("span", { class: "item" }, key, ` ${text}`);
  };
  const square = { x: 2, y: 2, width: 16, height: 16, rx: 4 };
  const octagon = { d: "M6 1 L14 1 L19 6 L19 14 L14 19 L6 19 L1 14 L1 6 Z" };
  return html(
    "p",
    { class: "legend" },
    item("circle", "hold none", { cx: 10, cy: 10, r: 7 }, "Red holds nothing"),
    item("path", "hold user", { d: "M10 1 L19 10 L10 19 L1 10 Z" }, "U a user session"),
    item("path", "hold privileged", octagon, "P a privileged one"),
    item("rect", "aimed-blue", square, "B Blue's target"),
    item("rect", "aimed-red", square, "R Red's target"),
    item("path", "decoy", { d: "M4 17 L10 4 L16 17 Z" }, "a decoy"),
    html("span", { class: "item" }, "≠ Blue takes it for something else"),
  );
}
