// The page: one view at a time, chosen by the address behind #: `#learning/tuesday`, `#compare/tuesday,wednesday`.

import * as compare from "./compare.js";
import { h } from "./dom.js";
import * as replay from "./episode.js";
import * as learning from "./learning.js";
import * as now from "./now.js";
import { Run } from "./run.js";
import * as runs from "./runs.js";
import * as search from "./search.js";
import { ask, listen } from "./sse.js";

const VIEWS = { runs, now, learning, search, compare, replay };
const OF_ONE_RUN = new Set(["now", "learning", "search", "replay"]);

const main = document.querySelector("main");
const chosen = document.querySelector("#chosen");
const notice = document.querySelector("#notice");

let view = null; // what is shown: {update?, close}
let run = null; // the run that is listened to
let hush = () => {}; // ends listening
let last = null; // the name of the run that was looked at last

history.replaceState(null, "", location.pathname + location.hash); // the token has become a cookie
addEventListener("hashchange", () => show());
show(true);

async function show(isFirst = false) {
  const [tab, rest] = parsed(location.hash);
  if (!(tab in VIEWS)) {
    location.replace("#runs");
    return;
  }
  if (OF_ONE_RUN.has(tab) && !rest) {
    const name = last ?? (await latest());
    location.replace(name ? `#${tab}/${encodeURIComponent(name)}` : "#runs");
    return;
  }
  const names = rest.split(",").filter(Boolean).map(decodeURIComponent);
  view?.close();
  view = null;
  main.replaceChildren();
  point(tab, names);
  if (OF_ONE_RUN.has(tab)) attend(names[0]);
  else unattend();
  try {
    view = await VIEWS[tab].open(main, OF_ONE_RUN.has(tab) ? run : names);
  } catch (error) {
    main.replaceChildren(h("p", { class: "empty" }, error.message));
    return;
  }
  if (run?.now) view.update?.();
  if (!isFirst) main.focus({ preventScroll: true });
}

function parsed(hash) {
  const [tab, ...rest] = hash.replace(/^#/, "").split("/");
  return [tab || "runs", rest.join("/")];
}

/** Mark the view that is shown, and lead the others to the same run. */
function point(tab, names) {
  document.title = names.length ? `${names[0] === compare.ALL ? "all runs" : names.join(", ")} · ${tab} · cage2-pipeline` : "cage2-pipeline";
  if (OF_ONE_RUN.has(tab)) last = names[0];
  for (const link of document.querySelectorAll("nav a")) {
    const its = link.dataset.tab;
    if (its === tab) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (OF_ONE_RUN.has(its)) link.href = last ? `#${its}/${encodeURIComponent(last)}` : `#${its}`;
  }
  chosen.replaceChildren();
}

/** Listen to a run, if it isn't the one that is listened to. */
function attend(name) {
  if (run?.name === name) {
    tell();
    return;
  }
  unattend();
  run = new Run(name);
  const its = run;
  hush = listen(name, (news) => {
    its.take(news);
    if (its !== run) return;
    tell();
    if (!document.hidden) view?.update?.();
  }, connected);
}

function unattend() {
  hush();
  hush = () => {};
  run = null;
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && run?.now) view?.update?.();
});

function connected(isThere) {
  notice.hidden = isThere;
  notice.textContent = isThere ? "" : "The server is not there. If it has ended, `run.py watch` starts another one.";
}

function tell() {
  const state = run.now?.state ?? "";
  chosen.replaceChildren(run.name, " ", runs.badge(state, run.now?.why ?? ""));
}

/** The run that wrote something last. */
async function latest() {
  const rows = (await ask("/api/runs")) ?? [];
  return rows.sort((a, b) => (b.state === "running") - (a.state === "running") || b.last_s - a.last_s)[0]?.name;
}
