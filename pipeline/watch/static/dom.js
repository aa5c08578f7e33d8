// Elements. Text is only ever set as text, so that nothing that a run's files say is taken for markup.

/**
 * Make an element.
 * @param {string} tag
 * @param {Object} [properties] `class`, `on` (listeners by event), `style` (by property); anything else is an attribute,
 *   left out if it is null or false
 * @param {...(Node|string|number|null)} children
 */
export function h(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "style") {
      for (const [property, each] of Object.entries(value)) element.style.setProperty(property, each);
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) element.append(child);
  }
  return element;
}

/** A table: `columns` of `{label, of(row), class?}`; `of` gives a node or text. */
export function table(caption, columns, rows, rowProperties = () => ({})) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h("table", {},
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, columns.map((each) => h("th", { scope: "col", class: each.class }, each.label)))),
      h("tbody", {}, rows.map((row) => h("tr", rowProperties(row), columns.map((each, place) =>
        h(place ? "td" : "th", { class: each.class, scope: place ? null : "row" }, each.of(row))))))));
}
