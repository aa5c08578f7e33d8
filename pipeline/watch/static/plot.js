// A picture of curves that each have places of their own. uPlot does the axes, the zoom and the pointer; the curves and
// their bands are drawn here, for uPlot wants all series at the same places.

import uPlot from "./uplot/uPlot.esm.js";
import { themed } from "./colours.js";
import { h } from "./dom.js";
import { number } from "./format.js";

const HEIGHT = 240;
const ZOOM_STEP = 0.7;
const NEAR = 40; // CSS pixels from the pointer within which a point is taken

/** What plots that are zoomed together share. */
export class Zoom {
  constructor() {
    this.range = null;
    this.plots = new Set();
  }

  set(range) {
    this.range = range;
    for (const plot of this.plots) plot.redraw();
  }
}

/**
 * A curve: `{id, label, color, dash, x, y, band?, faint?}`; `band` is a standard error at each point.
 * A mark: `{x, label, color}`, a line from bottom to top.
 */
export class Plot {
  /** @param {{title: string, xLabel: string, yLabel: string, zoom?: Zoom, height?: number, fromZero?: boolean}} options */
  constructor(options) {
    this.options = options;
    this.zoom = options.zoom ?? new Zoom();
    this.curves = [];
    this.marks = [];
    this.at = null; // {curve, point} that is looked at
    this.readout = h("output", { class: "readout" });
    this.canvas = h("div", {
      class: "canvas", tabindex: 0, role: "application", "aria-label": `${options.title}: curves`,
      "aria-roledescription": "chart: arrow keys go along a curve and from curve to curve, plus and minus zoom, 0 shows all",
      on: { keydown: (event) => this.#key(event), blur: () => this.#look(null) },
    });
    this.element = h("figure", { class: "plot" }, h("figcaption", {}, options.title), this.readout, this.canvas);
    this.observer = new ResizeObserver(() => this.#fit());
    this.observer.observe(this.canvas);
    this.zoom.plots.add(this);
  }

  show(curves, marks = [], xLabel = this.options.xLabel) {
    const looked = this.at && this.curves[this.at.curve]?.id;
    this.curves = curves;
    this.marks = marks;
    this.options.xLabel = xLabel;
    const found = curves.findIndex((each) => each.id === looked);
    this.at = found >= 0 && this.at.point < curves[found].x.length ? { ...this.at, curve: found } : null;
    this.redraw();
  }

  redraw() {
    if (!this.u) return;
    this.u.setData([[0, 1], [0, 1]], true);
    this.#say();
  }

  close() {
    this.observer.disconnect();
    this.zoom.plots.delete(this);
    this.u?.destroy();
    this.u = null;
  }

  #fit() {
    const width = this.canvas.clientWidth;
    if (!width) return;
    const height = this.options.height ?? HEIGHT;
    if (this.u) this.u.setSize({ width, height });
    else this.#make(width, height);
  }

  #make(width, height) {
    const axis = (label, size) => ({
      label, labelSize: 18, size, font: "12px system-ui", labelFont: "12px system-ui",
      stroke: () => themed("soft"), grid: { stroke: () => themed("grid"), width: 1 }, ticks: { show: false },
    });
    this.u = new uPlot({
      width, height,
      padding: [8, 26, 0, 0],
      legend: { show: false },
      cursor: { points: { show: false }, y: false, drag: { x: true, y: false, setScale: false } },
      scales: {
        x: { time: false, range: () => this.#xRange() },
        y: { range: () => this.#yRange() },
      },
      axes: [
        { ...axis("", 34), label: () => this.options.xLabel },
        axis(this.options.yLabel, 58),
      ],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: {
        draw: [(u) => this.#draw(u)],
        setCursor: [(u) => this.#point(u)],
        setSelect: [(u) => this.#select(u)],
      },
    }, [[0, 1], [0, 1]], this.canvas);
    this.u.over.addEventListener("dblclick", () => this.zoom.set(null));
  }

  #xRange() {
    if (this.zoom.range) return this.zoom.range;
    let [low, high] = [Infinity, -Infinity];
    for (const { x } of this.curves) {
      if (!x.length) continue;
      low = Math.min(low, x[0]);
      high = Math.max(high, x[x.length - 1]);
    }
    if (low > high) return [0, 1];
    return low === high ? [low - 1, high + 1] : [low > 0 && low < 0.1 * high ? 0 : low, high];
  }

  #yRange() {
    const [left, right] = this.#xRange();
    let [low, high] = this.options.fromZero ? [0, 0] : [Infinity, -Infinity];
    for (const { x, y, band, faint } of this.curves) {
      if (faint) continue;
      for (let i = 0; i < x.length; i++) {
        if (y[i] === null || x[i] < left || x[i] > right) continue;
        const spread = band?.[i] ?? 0;
        low = Math.min(low, y[i] - spread);
        high = Math.max(high, y[i] + spread);
      }
    }
    if (low > high) return [0, 1];
    const margin = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
    return [this.options.fromZero ? 0 : low - margin, high + margin];
  }

  #draw(u) {
    const { ctx, bbox } = u;
    const ratio = uPlot.pxRatio;
    const px = (value) => u.valToPos(value, "x", true);
    const py = (value) => u.valToPos(value, "y", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.lineJoin = "round";
    const looked = this.at && this.curves[this.at.curve];
    for (const curve of [...this.curves].sort((a, b) => (a === looked) - (b === looked) || !!b.faint - !!a.faint)) {
      const stands = curve === looked;
      ctx.strokeStyle = ctx.fillStyle = curve.color;
      if (curve.band && !curve.faint) this.#band(ctx, curve, px, py, stands || !looked ? 0.2 : 0.07);
      ctx.globalAlpha = curve.faint ? 0.12 : stands || !looked ? 1 : 0.45;
      ctx.lineWidth = (stands ? 2.6 : 1.5) * ratio;
      ctx.setLineDash((curve.dash ?? []).map((each) => each * ratio));
      this.#line(ctx, curve, px, py, ratio);
    }
    ctx.globalAlpha = 1;
    ctx.font = `${11 * ratio}px system-ui`;
    for (const mark of this.marks) {
      const x = px(mark.x);
      ctx.strokeStyle = ctx.fillStyle = mark.color;
      ctx.lineWidth = ratio;
      ctx.setLineDash([3 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const atRight = x > bbox.left + bbox.width - 80 * ratio;
      ctx.textAlign = atRight ? "right" : "left";
      ctx.fillText(mark.label, x + (atRight ? -4 : 4) * ratio, bbox.top + (mark.low ? bbox.height - 6 * ratio : 11 * ratio));
    }
    if (looked) {
      const [x, y] = [looked.x[this.at.point], looked.y[this.at.point]];
      if (y !== null) {
        ctx.setLineDash([]);
        ctx.fillStyle = looked.color;
        ctx.strokeStyle = themed("page");
        ctx.lineWidth = 2 * ratio;
        ctx.beginPath();
        ctx.arc(px(x), py(y), 4.5 * ratio, 0, 2 * Math.PI);
        ctx.fill();
        ctx.stroke();
      }
    }
    ctx.restore();
  }

  #line(ctx, { x, y }, px, py, ratio) {
    ctx.beginPath();
    let isOn = false;
    let num = 0;
    for (let i = 0; i < x.length; i++) {
      if (y[i] === null || x[i] === null) {
        isOn = false;
        continue;
      }
      if (isOn) ctx.lineTo(px(x[i]), py(y[i]));
      else ctx.moveTo(px(x[i]), py(y[i]));
      isOn = true;
      num++;
    }
    ctx.stroke();
    if (num === 1) { // a line of one point would not be seen
      const i = y.findIndex((each) => each !== null);
      ctx.fillRect(px(x[i]) - 2 * ratio, py(y[i]) - 2 * ratio, 4 * ratio, 4 * ratio);
    }
  }

  #band(ctx, { x, y, band }, px, py, alpha) {
    ctx.globalAlpha = alpha;
    ctx.beginPath();
    const known = [...x.keys()].filter((i) => y[i] !== null && band[i] !== null);
    for (const i of known) ctx.lineTo(px(x[i]), py(y[i] + band[i]));
    for (const i of known.reverse()) ctx.lineTo(px(x[i]), py(y[i] - band[i]));
    ctx.fill();
  }

  #point(u) {
    const { left, top } = u.cursor;
    if (left === undefined || left < 0) {
      if (document.activeElement !== this.canvas) this.#look(null);
      return;
    }
    const [x, nearest] = [u.posToVal(left, "x"), { distance: NEAR, at: null }];
    this.curves.forEach((curve, index) => {
      if (curve.faint || !curve.x.length) return;
      const point = closest(curve.x, x);
      if (curve.y[point] === null) return;
      const distance = Math.hypot(u.valToPos(curve.x[point], "x") - left, u.valToPos(curve.y[point], "y") - top);
      if (distance < nearest.distance) Object.assign(nearest, { distance, at: { curve: index, point } });
    });
    this.#look(nearest.at);
  }

  #look(at) {
    if (at?.curve === this.at?.curve && at?.point === this.at?.point) return;
    this.at = at;
    this.u?.redraw(false, false);
    this.#say();
  }

  #say() {
    const curve = this.at && this.curves[this.at.curve];
    if (!curve) {
      this.readout.textContent = "";
      return;
    }
    const point = this.at.point;
    const x = number(curve.x[point], 6);
    const spread = curve.band?.[point] ?? null;
    const y = spread === null ? number(curve.y[point]) : `${number(curve.y[point])} ± ${number(spread, 2)}`;
    this.readout.textContent = `${curve.label}: ${y} at ${x} ${this.options.xLabel}`;
  }

  #select(u) {
    const { left, width } = u.select;
    if (width > 4) this.zoom.set([u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  }

  #key(event) {
    const shown = this.curves.flatMap((curve, index) => (curve.faint || !curve.x.length ? [] : [index]));
    if (!shown.length) return;
    const at = this.at ?? { curve: shown[0], point: 0 };
    const curve = this.curves[at.curve];
    const place = shown.indexOf(at.curve);
    const go = (curveIndex, point) => this.#look({ curve: curveIndex, point });
    const along = (by) => go(at.curve, Math.min(Math.max(at.point + by, 0), curve.x.length - 1));
    const across = (by) => {
      const next = shown[(place + by + shown.length) % shown.length];
      go(next, closest(this.curves[next].x, curve.x[at.point]));
    };
    const keys = {
      ArrowLeft: () => along(this.at ? -1 : 0),
      ArrowRight: () => along(this.at ? 1 : 0),
      ArrowUp: () => across(-1),
      ArrowDown: () => across(1),
      Home: () => go(at.curve, 0),
      End: () => go(at.curve, curve.x.length - 1),
      "+": () => this.#zoomAt(curve.x[at.point], ZOOM_STEP),
      "-": () => this.#zoomAt(curve.x[at.point], 1 / ZOOM_STEP),
      0: () => this.zoom.set(null),
      Escape: () => this.#look(null),
    };
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  }

  #zoomAt(x, factor) {
    const [low, high] = this.#xRange();
    this.zoom.set([x - (x - low) * factor, x + (high - x) * factor]);
  }
}

/** Index of the value nearest to one, in ascending order. */
function closest(values, value) {
  let [low, high] = [0, values.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] < value) low = middle;
    else high = middle;
  }
  return Math.abs(values[low] - value) <= Math.abs(values[high] - value) ? low : high;
}
