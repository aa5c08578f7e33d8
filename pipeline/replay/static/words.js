// What the picture calls things.

const BLUE_LETTERS = { Sleep: "·", Monitor: "·", Analyse: "A", Remove: "M", Restore: "R" };
const RED_LETTERS = {
  Sleep: "·",
  DiscoverRemoteSystems: "S",
  DiscoverNetworkServices: "P",
  ExploitRemoteService: "X",
  PrivilegeEscalate: "E",
  Impact: "I",
};

/** What the letters of the time line stand for. */
export const LETTERS = {
  blue: "A Analyse, D a decoy, M Remove, R Restore, · nothing",
  red: "S sweep of a subnet, P port scan, X exploit, E escalation, I Impact, · nothing",
};

/** What Blue takes a host for, by CybORG's word. */
export const TAKEN_FOR = { No: "clean", Unknown: "unknown", User: "user session", Privileged: "privileged" };

/** What Red holds of a host. */
export const HELD = { None: "nothing", User: "a user session", Privileged: "a privileged session" };

/** What a policy with a memory remembers, by kind. */
export const REMEMBERED = {
  scanned: "scanned or exploited before",
  last_active: "the last one that was",
  was_exploit: "that was an exploit",
  unanswered: "exploited, and not restored at once",
  suspects: "suspected: Red may have a session",
  restored: "restored before",
  faked: "decoys that stand",
  faked_first: "decoys that stood when the host was first active",
  time: "of the episode has passed",
};

/** Return the letter of a side's move on the time line. */
export function letter(side, move) {
  if (side === "blue" && move.action.startsWith("Decoy")) return "D";
  const letters = side === "blue" ? BLUE_LETTERS : RED_LETTERS;
  return Object.hasOwn(letters, move.action) ? letters[move.action] : "?";
}

/** Return a move in words. */
export function spoken(move) {
  return move.target === null ? move.action : `${move.action} ${move.target}`;
}

/** Return whether a move worked, in words. */
export function outcome(move) {
  return move.success === null ? "" : move.success ? "worked" : "failed";
}

/** Return points with a sign that is a minus, and so many decimals. */
export function points(value, decimals = 1) {
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** Return a probability in words. */
export function percentage(value) {
  const percent = 100 * value;
  return percent >= 10 ? `${percent.toFixed(0)} %` : percent >= 0.1 ? `${percent.toFixed(1)} %` : "< 0.1 %";
}
