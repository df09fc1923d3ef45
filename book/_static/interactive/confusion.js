/* A confusion matrix: images or shares, of any run and split. A field is read with the pointer or
   the arrow keys. Its colour is the share, mixed in interactive.css. */
"use strict";

{
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
  const FULL = 0.623; // from this share on, letters have the other colour, in which they are legible
  const VIEWS = [
    { value: "images", label: "images" },
    { value: "true", label: "share of the true emotion" },
    { value: "predicted", label: "share of the answers" },
  ];

  /** What a field says in a sentence. */
  function sentence(emotions, counts, row, column) {
    const ofTrue = sum(counts[row]);
    const ofAnswers = sum(counts.map((line) => line[column]));
    const count = counts[row][column];
    const part = (of) => (of ? report.percent(count / of) : "–");
    return (
      `${report.count(count)} of ${report.count(ofTrue)} ${emotions[row]} images ` +
      `(${part(ofTrue)}) are called ${emotions[column]}; they are ${part(ofAnswers)} of the ` +
      `${report.count(ofAnswers)} that are called so.`
    );
  }

  /** The field that an arrow key leads to from another, or none. */
  function neighbour(cell, key) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[
      key
    ];
    if (!step) return null;
    const rows = cell.closest("tbody").rows;
    const next = rows[cell.parentElement.rowIndex - rows[0].rowIndex + step[0]];
    const found = next?.cells[cell.cellIndex + step[1]];
    return found?.tagName === "TD" ? found : null;
  }

  report.start("confusion", (place, data) => {
    const { make } = report;
    let run = data.runs[data.shown];
    let split = data.splits.at(-1);
    let view = "true";

    const corner = make("th", { class: "corner" }, "true ↓ predicted →");
    const head = data.emotions.map((name) => make("th", { scope: "col" }, make("span", {}, name)));
    const body = make("tbody");
    const table = make("table", { class: "matrix", role: "grid" });
    table.append(make("thead", {}, make("tr", {}, corner, ...head)), body);
    const reading = make("p", { class: "reading", role: "status" });
    const hint = "Point at a field, or reach it with the arrow keys, to read it in words.";

    const cells = data.emotions.map((name, row) => {
      const fields = data.emotions.map(() => make("td", { tabindex: -1 }));
      fields.forEach((field, column) => {
        const read = () => {
          reading.textContent = sentence(data.emotions, run.counts[split], row, column);
        };
        field.addEventListener("pointerenter", read);
        field.addEventListener("focus", () => {
          table.querySelector('[tabindex="0"]').tabIndex = -1;
          field.tabIndex = 0; // where the tab key comes back to
          read();
        });
      });
      body.append(make("tr", {}, make("th", { scope: "row" }, name), ...fields));
      return fields;
    });
    cells[0][0].tabIndex = 0;
    body.addEventListener("keydown", (event) => {
      const next = neighbour(event.target, event.key);
      if (!next) return;
      event.preventDefault();
      next.focus();
    });

    function update() {
      const counts = run.counts[split];
      const answers = data.emotions.map((_, column) => sum(counts.map((line) => line[column])));
      cells.forEach((fields, row) => {
        fields.forEach((field, column) => {
          const count = counts[row][column];
          const of = view === "predicted" ? answers[column] : sum(counts[row]);
          const share = of ? count / of : 0;
          const words = [`${Math.round(100 * share)}\u00a0%`, report.count(count)];
          if (view === "images") words.reverse();
          field.replaceChildren(words[0], make("small", {}, words[1]));
          field.style.setProperty("--share", `${(100 * share).toFixed(1)}%`);
          field.classList.toggle("is-full", share > FULL);
        });
      });
      table.setAttribute("aria-label", `Confusion matrix of ${run.name} on ${split}`);
      reading.textContent = hint;
    }
    const set = (change) => (value) => {
      change(value);
      update();
    };
    const runs = data.runs.map((one, at) => ({ value: String(at), label: one.name }));
    const splits = data.splits.map((value) => ({ value, label: value }));
    report.putIntoFigure(place, data.figure);
    place.classList.add("confusion");
    place.append(
      make(
        "div",
        { class: "controls" },
        report.labelled(
          "Run",
          report.list(
            { "": runs },
            String(data.shown),
            set((value) => (run = data.runs[value])),
          ),
        ),
        report.choice(
          "Split",
          splits,
          split,
          set((value) => (split = value)),
        ),
        report.choice(
          "Fields show",
          VIEWS,
          view,
          set((value) => (view = value)),
        ),
      ),
      make("div", { class: "scrolling-across" }, table),
      reading,
    );
    update();
  });
}
