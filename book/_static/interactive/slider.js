/* A slider under a static figure: its states were computed when the page was built. A row has a
   name, the place of its value on a line in percent, and where there are such its interval and the
   paper's figure; below the rows, what they amount to. */
"use strict";

report.start("slider", (place, data) => {
  const { make } = report;
  const dot = (kind, left, right = left) => {
    const mark = make("span", { class: kind });
    mark.style.left = `${left}%`;
    mark.style.right = `${100 - right}%`;
    return mark;
  };
  const line = ({ name, value, low, high, claim, text }) => {
    const marks = [];
    if (low !== undefined) marks.push(dot("interval", low, high));
    if (claim !== undefined) marks.push(dot("claim", claim));
    if (value !== undefined) marks.push(dot("value", value));
    const row = report.row([name, make("span", { class: "line" }, ...marks), text]);
    row.cells[1].setAttribute("aria-hidden", "true");
    return row;
  };

  const range = make("input", { type: "range", min: 0, max: data.states.length - 1 });
  const shown = make("output");
  const body = make("tbody");
  const outcome = make("p", { class: "reading", role: "status" });
  const update = () => {
    const state = data.states[range.value];
    range.setAttribute("aria-valuetext", state.name);
    shown.textContent = state.name;
    body.replaceChildren(...state.rows.map(line));
    outcome.textContent = `${state.name}: ${state.outcome}.`;
  };
  range.value = data.start;
  range.addEventListener("input", update);

  place.classList.add("slider");
  place.append(report.labelled(data.label, range, shown), make("table", {}, body), outcome);
  document.getElementById(data.figure).querySelector("figcaption").before(place);
  update();
});
