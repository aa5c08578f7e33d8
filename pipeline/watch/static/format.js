// Numbers and times as people read them. What isn't known is a dash.

const NONE = "–";

export function whole(value) {
  return value === null || value === undefined ? NONE : Math.round(value).toLocaleString("en");
}

/** A number to `digits` significant ones. */
export function number(value, digits = 4) {
  if (value === null || value === undefined) return NONE;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-4) return value.toExponential(Math.max(0, digits - 2));
  return Number(value.toPrecision(digits)).toLocaleString("en", { maximumSignificantDigits: digits });
}

/** A mean with its standard error, as many decimals as that allows. */
export function interval(mean, stderr) {
  if (mean === null || mean === undefined) return NONE;
  if (stderr === null || stderr === undefined) return number(mean);
  const decimals = stderr > 0 ? Math.min(4, Math.max(0, 1 - Math.floor(Math.log10(stderr)))) : 1;
  return `${mean.toFixed(decimals)} ± ${stderr.toFixed(decimals)}`;
}

export function percent(share) {
  return share === null || share === undefined ? NONE : `${(100 * share).toFixed(1)} %`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** The unit in which times up to so many seconds are read, and how many seconds it has. */
export function timeUnit(most) {
  if (most < 300) return { name: "seconds", seconds: 1 };
  return most < 4 * 3600 ? { name: "minutes", seconds: 60 } : { name: "hours", seconds: 3600 };
}

/** An order with arrows. */
export function arrows(order) {
  return order ? order.replaceAll(" -> ", " \u2192 ") : NONE;
}

export function moment(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  return new Date(seconds * 1000).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

export function short(digest) {
  return digest ? digest.slice(0, 8) : NONE;
}
