// Colours that people who see fewer of them can tell apart: Okabe and Ito's for lines, cividis for maps.

const NUM_LINES = 6; // --line-0 to --line-5 of the style sheet: after Okabe and Ito's, as dark or bright as pages need
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3]];
const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];

/** Colour and dash of the n-th line. */
export function line(index) {
  return { color: themed(`line-${index % NUM_LINES}`), dash: DASHES[Math.floor(index / NUM_LINES) % DASHES.length] };
}

/** Background and text of a share from 0 to 1. */
export function shade(share) {
  const place = Math.min(Math.max(share, 0), 1) * (CIVIDIS.length - 1);
  const below = Math.min(Math.floor(place), CIVIDIS.length - 2);
  const mixed = [1, 3, 5].map((at) => {
    const [a, b] = [below, below + 1].map((each) => parseInt(CIVIDIS[each].slice(at, at + 2), 16));
    return Math.round(a + (b - a) * (place - below));
  });
  return { background: `rgb(${mixed.join(" ")})`, text: place < 4.2 ? "#fff" : "#000" };
}

/** A colour of the style sheet. */
export function themed(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
