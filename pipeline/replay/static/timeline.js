// The time line: both sides' moves, verdicts, rewards, and the return so far; a click or a drag goes there.

import { fill, html, svg } from "./dom.js";
import { LETTERS, letter, outcome, points, spoken } from "./words.js";

const ROWS = { blue: 4, verdict: 28, red: 46, reward: 72, total: 124, ticks: 188, height: 204 };
const BAR_HEIGHT = 44;
const LINE_HEIGHT = 54;
const LABELS = 84;
const MIN_COLUMN = 11;

/** A time line of a replay; `seek` is called with a step. */
export class Timeline {
  constructor(replay, seek) {
    this.replay = replay;
    this.seek = seek;
    this.svg = svg("svg", { class: "timeline", role: "img", "aria-label": "Time line of moves, rewards and verdicts" });
    this.scroller = html("div", { class: "timeline-scroller" }, this.svg);
    const legend = html("p", { class: "legend" }, `Blue: ${LETTERS.blue}. Red: ${LETTERS.red}. Outlined: it failed.`);
    if (replay.compliance !== null) legend.append(" ● in the workflow's order, ■ not.");
    this.element = html("div", { class: "timeline-box" }, this.scroller, legend);
    this.svg.addEventListener("pointerdown", (event) => this.drag(event));
    this.svg.addEventListener("pointermove", (event) => event.buttons & 1 && this.drag(event));
    this.head = svg("rect", { class: "playhead", y: 0, height: ROWS.ticks });
  }

  /** Draw it for a place of so many pixels. */
  draw(pixels) {
    const { frames, num_steps } = this.replay;
    this.column = Math.max(MIN_COLUMN, (pixels - LABELS - 8) / Math.max(1, num_steps));
    const width = LABELS + this.column * num_steps + 8;
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", ROWS.height);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${ROWS.height}`);
    const lowest = Math.min(-1, ...frames.map((frame) => frame.reward));
    const least = Math.min(-1, ...frames.map((frame) => frame.total));
    this.head.setAttribute("width", this.column);
    fill(
      this.svg,
      this.head,
      this.labels(lowest, least, width),
      frames.slice(1).map((frame) => this.step(frame, lowest)),
      svg("polyline", {
        class: "total",
        points: frames
          .map((frame) => `${LABELS + this.column * frame.step},${ROWS.total + LINE_HEIGHT * (frame.total / least)}`)
          .join(" "),
      }),
    );
  }

  /** Move the head to a step, and into sight. */
  show(step) {
    const left = LABELS + this.column * (step - 1);
    this.head.setAttribute("x", step ? left : LABELS - 4);
    this.head.setAttribute("width", step ? this.column : 4);
    const { scrollLeft, clientWidth } = this.scroller;
    if (left < scrollLeft + LABELS || left > scrollLeft + clientWidth - 40) {
      this.scroller.scrollLeft = Math.max(0, left - clientWidth / 2);
    }
  }

  drag(event) {
    const x = event.clientX - this.svg.getBoundingClientRect().left;
    const step = Math.floor((x - LABELS) / this.column) + 1;
    this.seek(Math.min(this.replay.num_steps, Math.max(0, step)));
  }

  labels(lowest, least, width) {
    const text = (y, words, kind = "axis") =>
      svg("text", { class: kind, x: LABELS - 10, y, "text-anchor": "end" }, words);
    const line = (y) => svg("line", { class: "grid", x1: LABELS, y1: y, x2: width - 8, y2: y });
    const ticks = [];
    const every = this.replay.num_steps > 400 ? 100 : 10;
    for (let step = every; step <= this.replay.num_steps; step += every) {
      const x = LABELS + this.column * (step - 0.5);
      ticks.push(svg("text", { class: "axis", x, y: ROWS.ticks + 12, "text-anchor": "middle" }, String(step)));
    }
    return svg(
      "g",
      {},
      text(ROWS.blue + 15, "Blue", "axis side-blue"),
      this.replay.compliance === null ? null : text(ROWS.verdict + 10, "order"),
      text(ROWS.red + 15, "Red", "axis side-red"),
      text(ROWS.reward + 10, "reward"),
      text(ROWS.reward + BAR_HEIGHT, points(lowest)),
      text(ROWS.total + 10, "return"),
      text(ROWS.total + LINE_HEIGHT, points(least)),
      text(ROWS.ticks + 12, "step"),
      line(ROWS.reward),
      line(ROWS.total),
      ticks,
    );
  }

  step(frame, lowest) {
    const left = LABELS + this.column * (frame.step - 1);
    const gap = Math.min(2, this.column / 8);
    const height = BAR_HEIGHT * (frame.reward / lowest);
    return svg(
      "g",
      {},
      svg("title", {}, told(frame)),
      this.move("blue", frame.blue, left, gap),
      this.mark(frame.verdict, left + this.column / 2),
      this.move("red", frame.red, left, gap),
      frame.reward < 0
        ? svg("rect", { class: "bar", x: left + gap, y: ROWS.reward, width: this.column - 2 * gap, height })
        : null,
    );
  }

  move(side, move, left, gap) {
    const name = letter(side, move);
    const kind = name === "·" ? "idle" : move.success === false ? "failed" : "done";
    const [width, middle] = [this.column - 2 * gap, left + this.column / 2];
    return svg(
      "g",
      { class: `move ${side} ${kind}` },
      svg("rect", { x: left + gap, y: ROWS[side], width, height: 20, rx: 2 }),
      svg("text", { x: middle, y: ROWS[side] + 14, "text-anchor": "middle" }, name),
    );
  }

  mark(verdict, x) {
    const y = ROWS.verdict + 6;
    if (verdict === "compliant") return svg("circle", { class: "compliant", cx: x, cy: y, r: 3.5 });
    if (verdict !== "not_compliant") return null;
    return svg("rect", { class: "not-compliant", x: x - 4, y: y - 4, width: 8, height: 8 });
  }
}

/** Return a step in a sentence. */
export function told(frame) {
  if (frame.step === 0) return "The beginning: Red is on its foothold, and nobody has moved.";
  const side = (name, move) => [name, spoken(move), outcome(move) && `(${outcome(move)})`].filter(Boolean).join(" ");
  const order = { compliant: ", in order", not_compliant: ", not in the workflow's order" }[frame.verdict] ?? "";
  const moves = `${side("Blue", frame.blue)}${order}. ${side("Red", frame.red)}`;
  return `Step ${frame.step}: ${moves}. Reward ${points(frame.reward)}.`;
}
