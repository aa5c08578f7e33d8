// The network at a moment: subnets and hosts, what Red holds, what Blue takes it for, decoys, both last moves.

import { fill, svg } from "./dom.js";
import { HELD, TAKEN_FOR, outcome, points } from "./words.js";

const CARD = { height: 72, step: 88 };
const PAD = 14;
const TITLE = 34;
const GAP = 36;

/** Return how the hosts are laid out on a width: beside each other, or below where there is no room. */
function layout(replay, width) {
  const places = new Map();
  const boxes = [];
  const isWide = width >= 720;
  const columns = isWide ? 1 : 2;
  const cardWidth = width >= 520 ? 264 : 196;
  const boxWidth = columns * cardWidth + (columns + 1) * PAD;
  let [left, top, height] = [2, 2, 0];
  for (const [name, cidr, hosts] of replay.subnets) {
    const boxHeight = TITLE + Math.ceil(hosts.length / columns) * CARD.step + 4;
    boxes.push({ name, cidr, left, top, width: boxWidth, height: boxHeight });
    hosts.forEach((host, index) => {
      const [row, column] = [Math.floor(index / columns), index % columns];
      places.set(host, [left + PAD + column * (cardWidth + PAD), top + TITLE + 8 + row * CARD.step]);
    });
    height = Math.max(height, top + boxHeight + 2);
    if (isWide) left += boxWidth + GAP;
    else top += boxHeight + GAP;
  }
  if (isWide) for (const box of boxes) box.height = height - 4;
  return { places, boxes, height, cardWidth, width: isWide ? left - GAP + 2 : boxWidth + 4, isWide };
}

/** Draw a moment into an SVG element, for a place of so many pixels. */
export function drawNetwork(root, replay, frame, pixels) {
  const plan = layout(replay, pixels);
  root.setAttribute("viewBox", `0 0 ${plan.width} ${plan.height}`);
  root.setAttribute("class", "network");
  const target = (move) => (move === null ? null : move.target);
  fill(
    root,
    svg("title", {}, `The network after step ${frame.step}`),
    links(plan),
    plan.boxes.map((box) => subnet(box, frame.red !== null && target(frame.red) === box.name)),
    frame.hosts.map((host) => card(replay, frame, host, plan.places.get(host.name), plan.cardWidth)),
  );
}

function links({ boxes, isWide }) {
  return boxes.slice(1).map((box, index) => {
    const before = boxes[index];
    const [x, y] = [before.left + before.width, before.top + before.height];
    const middle = before.top + before.height / 2;
    return isWide
      ? svg("line", { class: "link", x1: x, y1: middle, x2: box.left, y2: middle })
      : svg("line", { class: "link", x1: box.left + box.width / 2, y1: y, x2: box.left + box.width / 2, y2: box.top });
  });
}

function subnet(box, isSwept) {
  const { left, top, width, height } = box;
  return svg(
    "g",
    { class: isSwept ? "subnet swept" : "subnet" },
    svg("rect", { x: left, y: top, width, height, rx: 12 }),
    svg("text", { class: "subnet-name", x: left + PAD, y: top + 24 }, box.name),
    svg(
      "text",
      { class: "faint", x: left + width - PAD, y: top + 24, "text-anchor": "end" },
      isSwept ? "R sweeps it" : box.cidr,
    ),
  );
}

function card(replay, frame, host, [left, top], width) {
  const { height } = CARD;
  const byBlue = frame.blue !== null && frame.blue.target === host.name;
  const byRed = frame.red !== null && frame.red.target === host.name;
  const note = noted(replay, frame, host);
  const isClean = host.taken_for === "No";
  const belief = TAKEN_FOR[host.taken_for] ?? "?";
  const onTheRight = (kind, y, text) => svg("text", { class: kind, x: width - 9, y, "text-anchor": "end" }, text);
  return svg(
    "g",
    { class: "host", transform: `translate(${left} ${top})`, "data-host": host.name, "data-held": host.held },
    svg("title", {}, described(replay, host)),
    byRed ? svg("rect", { class: "aimed-red", x: -5, y: -5, width: width + 10, height: height + 10, rx: 10 }) : null,
    svg("rect", { class: `card held-${host.held}`, width, height, rx: 7 }),
    byBlue ? svg("rect", { class: "aimed-blue", x: 1.5, y: 1.5, width: width - 3, height: height - 3, rx: 6 }) : null,
    held(host),
    svg("text", { class: "host-name", x: 48, y: 25 }, host.name),
    host.activity === "None" ? null : onTheRight("activity", 27, host.activity.toLowerCase()),
    svg("rect", { class: `belief taken-${host.taken_for}`, x: 48, y: 34, width: 10, height: 10, rx: isClean ? 5 : 1 }),
    svg("text", { class: "small", x: 64, y: 43.5 }, width > 200 ? `Blue: ${belief}` : belief),
    host.cost ? onTheRight("cost", 43.5, points(host.cost)) : null,
    decoys(host, width),
    onTheRight(note.kind, 64, note.text),
    flags(frame, byBlue, byRed, width),
  );
}

/** What Red holds, as a shape and a letter: nothing, a diamond, an octagon. */
function held(host) {
  const shapes = {
    None: svg("circle", { class: "hold none", cx: 24, cy: 30, r: 12 }),
    User: svg("path", { class: "hold user", d: "M24 13 L41 30 L24 47 L7 30 Z" }),
    Privileged: svg("path", { class: "hold privileged", d: "M17 14 L31 14 L40 23 L40 37 L31 46 L17 46 L8 37 L8 23 Z" }),
  };
  const letters = { None: "", User: "U", Privileged: "P" };
  return svg(
    "g",
    {},
    shapes[host.held],
    svg("text", { class: `hold-letter on-${host.held}`, x: 24, y: 35.5, "text-anchor": "middle" }, letters[host.held]),
    host.num_sessions > 1
      ? svg("text", { class: "tiny", x: 24, y: 60, "text-anchor": "middle" }, `× ${host.num_sessions}`)
      : null,
  );
}

function decoys(host, width) {
  const number = host.decoys.length;
  const marks = host.decoys
    .slice(0, 4)
    .map((_, index) => svg("path", { class: "decoy", d: `M${48 + 13 * index} 64 l5.5 -10 l5.5 10 Z` }));
  const words = number && (number > 4 || width > 200) ? `${number} decoy${number > 1 ? "s" : ""}` : "";
  return svg("g", {}, marks, svg("text", { class: "tiny", x: 52 + 13 * marks.length, y: 64 }, words));
}

/** Return what is to be noted of a host, the first of these. */
function noted(replay, frame, host) {
  if (host.name === "Op_Server0" && !frame.ot_service_up) return { kind: "small unseen", text: "service down" };
  if (host.name === replay.foothold) return { kind: "tiny", text: "⚑ Red's foothold" };
  if (host.held !== "None" && host.taken_for === "No") return { kind: "small unseen", text: "≠ unseen" };
  if (host.held === "None" && host.taken_for !== "No") return { kind: "small alarm", text: "≠ Red is out" };
  return { kind: "tiny", text: host.scanned ? "scanned" : host.known ? "known" : "" };
}

/** Flags at a host's corner: who aimed at it, and whether that worked. */
function flags(frame, byBlue, byRed, width) {
  const sides = [byRed ? ["R", "red", frame.red] : null, byBlue ? ["B", "blue", frame.blue] : null].filter(Boolean);
  return sides.map(([name, side, move], index) => {
    const sign = { worked: "✓", failed: "✗" }[outcome(move)] ?? "";
    const left = width - 40 - 38 * index;
    return svg(
      "g",
      { class: `flag ${side}${move.success === false ? " failed" : ""}` },
      svg("rect", { x: left, y: -9, width: 34, height: 20, rx: 4 }),
      svg("text", { x: left + 17, y: 5.5, "text-anchor": "middle" }, `${name} ${sign}`),
    );
  });
}

function described(replay, host) {
  const parts = [
    `${host.name} (${replay.addresses[host.name] ?? "?"})`,
    `Red holds ${HELD[host.held] ?? "?"}`,
    `Blue takes it for ${TAKEN_FOR[host.taken_for] ?? "?"}`,
    host.decoys.length ? `decoys: ${host.decoys.join(", ")}` : "no decoys",
    host.scanned ? "Red has scanned it" : host.known ? "Red knows its address" : "Red doesn't know its address",
  ];
  return parts.join("; ");
}
