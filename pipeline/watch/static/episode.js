// An episode of a run, played anew and looked at step by step; other choices can be tried at any of them.

import { mount } from "/replay/replay.js";
import { h } from "./dom.js";
import { ask } from "./sse.js";

const ASKED = { episode: "0", seed: "0", worst_of: "", greedy: true }; // as it was asked for last

export async function open(main, run) {
  const place = h("div");
  const note = h("p", { class: "soft", role: "status" });
  const number = (label, name, max, placeholder) => h("label", {}, `${label} `,
    h("input", { type: "number", name, min: name === "worst_of" ? 1 : 0, max, value: ASKED[name], placeholder, size: 8 }));
  const form = h("form", { class: "bar", on: { submit: (event) => { event.preventDefault(); show(); } } },
    h("h2", {}, run.name),
    number("Episode", "episode", 1000000),
    number("or the worst of", "worst_of", 10000, "1000"),
    number("Seed", "seed"),
    h("label", {}, h("input", { type: "checkbox", name: "greedy", checked: ASKED.greedy }), " likeliest actions"),
    h("button", {}, "Show"));
  let player = null;
  let isClosed = false;
  main.append(form, note, place);
  show();

  async function show() {
    const asked = new FormData(form);
    for (const name of ["episode", "seed", "worst_of"]) ASKED[name] = asked.get(name);
    ASKED.greedy = asked.has("greedy");
    const query = { seed: ASKED.seed || "0", greedy: ASKED.greedy, ...(ASKED.worst_of ? { worst_of: ASKED.worst_of } : { episode: ASKED.episode || "0" }) };
    player?.close();
    player = null;
    note.textContent = "";
    try {
      const its = await mount(place, (what, more = {}) => fetched(what, { ...query, ...more }));
      if (isClosed) its.close();
      else player = its;
    } catch (error) {
      place.replaceChildren();
      note.textContent = error.message;
    }
  }

  async function fetched(what, values) {
    const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
    const found = await ask(`/api/runs/${encodeURIComponent(run.name)}/${what}?${new URLSearchParams(given)}`);
    if (!found) throw new Error("The server is not there.");
    return found;
  }

  return {
    close: () => {
      isClosed = true;
      player?.close();
    },
  };
}
