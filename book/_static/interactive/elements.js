/* What the interactive parts share: elements, embedded data, controls, numbers in words.
   Text is only ever set as text, never read as HTML. */
"use strict";

globalThis.report = {};

/** An element with attributes (false and null are left out) and children (text or elements). */
report.make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
};

/** Calls `build(place, data)` for each place of a kind, with the data that the page embeds there. */
report.start = (kind, build) => {
  for (const place of document.querySelectorAll(`[data-interactive="${kind}"]`)) {
    build(place, JSON.parse(place.querySelector("script").textContent));
  }
};

/** Puts a part into a static figure of the page, above its caption; the picture is kept for print.
    The part is described as the picture is. */
report.putIntoFigure = (place, name) => {
  const figure = document.getElementById(name);
  place.setAttribute("role", "group");
  place.setAttribute("aria-label", figure.querySelector("img").alt);
  figure.classList.add("has-interactive");
  figure.prepend(place);
};

let controls = 0; // gives every control an id, and every group of radio buttons a name

/** Radio buttons or checkboxes in a row.
    options: [{value, label, mark}], where mark is an element drawn before the label. */
function buttons(type, legend, options, isChosen, change) {
  const name = `control-${(controls += 1)}`;
  const field = report.make("fieldset", { class: `control ${type}` });
  field.append(report.make("legend", {}, legend));
  for (const { value, label, mark } of options) {
    const input = report.make("input", { type, name, value, checked: isChosen(value) });
    input.addEventListener("change", () => change(value, input.checked));
    field.append(report.make("label", {}, input, ...(mark ? [mark] : []), label));
  }
  return field;
}

/** One of several: change(value) is called with the new choice. */
report.choice = (legend, options, chosen, change) =>
  buttons("radio", legend, options, (value) => value === chosen, change);

/** Any of several, all at first: change(value, whether ticked). */
report.ticks = (legend, options, change) =>
  buttons("checkbox", legend, options, () => true, change);

/** A labelled control that a reader types or chooses in. */
report.labelled = (text, control, hint = "") => {
  control.id = `control-${(controls += 1)}`;
  const label = report.make("label", { for: control.id }, text);
  return report.make("div", { class: "control" }, label, control, hint);
};

/** A list to choose from. groups: {name: [{value, label}]}; the options of "" stand without one. */
report.list = (groups, chosen, change) => {
  const select = report.make("select");
  for (const [group, options] of Object.entries(groups)) {
    const made = options.map(({ value, label }) =>
      report.make("option", { value, selected: value === chosen }, label),
    );
    select.append(...(group ? [report.make("optgroup", { label: group }, ...made)] : made));
  }
  select.addEventListener("change", () => change(select.value));
  return select;
};

/** A row of a table; the first cell heads it. */
report.row = (cells) => {
  const [first, ...others] = cells.map((cell) => [cell].flat());
  const row = report.make("tr", {}, report.make("th", { scope: "row" }, ...first));
  row.append(...others.map((cell) => report.make("td", {}, ...cell)));
  return row;
};

/** Writes new words into a table that the page was built with, in the form that it has. */
report.fill = (table, head, rows) => {
  table.tHead.rows[0].replaceChildren(
    ...head.map((text) => report.make("th", { class: "head" }, report.make("p", {}, text))),
  );
  table.tBodies[0].replaceChildren(
    ...rows.map((cells, at) => {
      const row = report.make("tr", { class: at % 2 ? "row-odd" : "row-even" });
      row.append(...cells.map((text) => report.make("td", {}, report.make("p", {}, text))));
      return row;
    }),
  );
};

const NOTHING = "–";
const isNumber = (value) => value !== null && value !== undefined;

/** A share in percent, a loss in nats, a count: as the tables of the report print them. */
report.percent = (share) => (isNumber(share) ? `${(100 * share).toFixed(1)}\u00a0%` : NOTHING);
report.nats = (loss) => (isNumber(loss) ? loss.toFixed(3) : NOTHING);
report.count = (number) => number.toLocaleString("en-GB");
