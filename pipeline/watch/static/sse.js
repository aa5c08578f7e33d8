// What the server tells, as it comes.

/**
 * Listen to what is new of a run. The browser connects again by itself, and is then told all from the beginning.
 * @param {string} name of the run
 * @param {function(Object)} take what is new
 * @param {function(boolean)} connected whether the server is there
 * @returns {function()} ends it
 */
export function listen(name, take, connected) {
  const source = new EventSource(`/api/runs/${encodeURIComponent(name)}/news`);
  source.addEventListener("open", () => connected(true));
  source.addEventListener("message", (event) => take(JSON.parse(event.data)));
  source.addEventListener("error", () => connected(false));
  return () => source.close();
}

/** Ask for something; null if the server isn't there, an error if it refuses. */
export async function ask(path) {
  let answer;
  try {
    answer = await fetch(path);
  } catch {
    return null;
  }
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}
