/* Learning curves: every run can be hidden, and every value read off, with a pointer or with the
   slider of epochs. Colours, and which lines are dashed, are decided in interactive.css. */
"use strict";

{
  const PARTS = ["training", "validation"];
  const rounded = (share) => `${Math.round(100 * share)}\u00a0%`;
  const PANELS = [
    { quantity: "accuracy", title: "Accuracy", text: report.percent, tick: rounded },
    { quantity: "loss", title: "Loss (nats)", text: report.nats, tick: d3.format(".1f") },
  ];
  const MARGIN = { top: 10, right: 10, bottom: 38, left: 46 };

  /** A sample of a line, for the label that switches it. */
  function sample(data) {
    const svg = d3.create("svg").attr("width", 26).attr("height", 10).attr("aria-hidden", "true");
    const line = svg.append("line").attr("class", "curve").attr("x2", 26).attr("y1", 5);
    line.attr("y2", 5);
    for (const [key, value] of Object.entries(data)) line.attr(`data-${key}`, value);
    return svg.node();
  }

  /** All curves of a quantity, one per run and part. */
  function linesOf(runs, quantity) {
    return runs.flatMap((run, number) =>
      PARTS.map((part) => ({
        number,
        part,
        name: `${run.name}, ${part}`,
        values: run.history[`${part}_${quantity}`],
      })),
    );
  }

  /** Draws a quantity at a width; gives functions that move its cursor and find what is near. */
  function draw(box, { quantity, title, text, tick }, { runs, claims, last }, width) {
    const height = Math.round(Math.min(320, Math.max(210, 0.74 * width)));
    const lines = linesOf(runs, quantity);
    const claimed = PARTS.filter((part) => `${part}_${quantity}` in claims).map((part) => ({
      part,
      value: claims[`${part}_${quantity}`],
    }));
    const every = [...lines.flatMap((line) => line.values), ...claimed.map((one) => one.value)];
    const [low, high] = d3.extent(every.filter((value) => value !== null));
    const x = d3.scaleLinear([0.7, last + 0.3], [MARGIN.left, width - MARGIN.right]);
    const from = quantity === "loss" ? 0 : (low ?? 0); // a loss is told from nought
    const y = d3.scaleLinear([from, high ?? 1], [height - MARGIN.bottom, MARGIN.top]).nice(5);

    const svg = d3
      .create("svg")
      .attr("viewBox", [0, 0, width, height])
      .attr("width", width)
      .attr("height", height)
      .attr("role", "img")
      .attr("aria-label", `${title} by epoch; the values are in the table below`);
    drawAxes(svg, x, y, { width, height, last, tick });
    const path = d3.line((value, at) => x(at + 1), y).defined((value) => value !== null);
    const curves = svg
      .append("g")
      .selectAll("g")
      .data(lines)
      .join("g")
      .attr("data-run", (line) => line.number)
      .attr("data-part", (line) => line.part);
    curves
      .append("path")
      .attr("class", "curve")
      .attr("d", (line) => path(line.values));
    if (last <= 15) {
      // Few epochs: a point for each, without which one epoch alone would draw nothing.
      curves
        .selectAll("circle")
        .data((line) =>
          line.values.map((value, at) => ({ value, at })).filter((one) => one.value !== null),
        )
        .join("circle")
        .attr("class", "point")
        .attr("r", 2.2)
        .attr("cx", (one) => x(one.at + 1))
        .attr("cy", (one) => y(one.value));
    }
    const rule = svg.append("line").attr("class", "cursor");
    rule.attr("y1", MARGIN.top).attr("y2", height - MARGIN.bottom);
    const marks = svg.append("g");
    svg
      .append("g")
      .selectAll("path")
      .data(claimed)
      .join("path")
      .attr("class", "claim")
      .attr("data-part", (one) => one.part)
      .attr("d", d3.symbol(d3.symbolDiamond, 70))
      .attr("transform", (one) => `translate(${x(last)},${y(one.value)})`);
    const label = svg.append("text").attr("class", "near");
    box.replaceChildren(svg.node());

    const at = (line, epoch) => line.values[epoch - 1] ?? null;
    return {
      svg: svg.node(),
      epochAt: (place) => Math.min(last, Math.max(1, Math.round(x.invert(place)))),

      /** Shows an epoch: a rule, and a mark on every curve that is shown. */
      move(epoch, isShown) {
        curves.attr("display", (line) => (isShown(line) ? null : "none"));
        rule.attr("x1", x(epoch)).attr("x2", x(epoch));
        marks
          .selectAll("circle")
          .data(lines.filter((line) => isShown(line) && at(line, epoch) !== null))
          .join("circle")
          .attr("class", "mark")
          .attr("data-run", (line) => line.number)
          .attr("data-part", (line) => line.part)
          .attr("r", 4)
          .attr("cx", x(epoch))
          .attr("cy", (line) => y(at(line, epoch)));
      },

      /** Names the curve that is nearest to a height, and its value; none without a height. */
      name(epoch, place, isShown) {
        const there = lines.filter((line) => isShown(line) && at(line, epoch) !== null);
        const near = d3.least(there, (line) => Math.abs(y(at(line, epoch)) - place));
        curves.classed("is-near", (line) => place !== null && line === near);
        if (place === null || !near) return label.attr("display", "none");
        label
          .attr("display", null)
          .attr("y", Math.max(MARGIN.top + 12, y(at(near, epoch)) - 9))
          .text(`${near.name}: ${text(at(near, epoch))}`);
        const right = x(epoch) + 9 + label.node().getComputedTextLength() < width;
        return label
          .attr("x", x(epoch) + (right ? 9 : -9))
          .attr("text-anchor", right ? "start" : "end");
      },
    };
  }

  /** Axes and grid; only whole epochs have a tick. */
  function drawAxes(svg, x, y, { width, height, last, tick }) {
    const epochs = x.ticks(Math.min(last, Math.floor(width / 45))).filter(Number.isInteger);
    svg
      .append("g")
      .attr("class", "axis grid")
      .attr("transform", `translate(${MARGIN.left},0)`)
      .call(
        d3
          .axisLeft(y)
          .ticks(5, tick)
          .tickFormat(tick)
          .tickSize(MARGIN.left + MARGIN.right - width),
      );
    svg
      .append("g")
      .attr("class", "axis")
      .attr("transform", `translate(0,${height - MARGIN.bottom})`)
      .call(d3.axisBottom(x).tickValues(epochs).tickFormat(d3.format("d")).tickSizeOuter(0));
    svg
      .append("text")
      .attr("class", "axis-name")
      .attr("x", (MARGIN.left + width - MARGIN.right) / 2)
      .attr("y", height - 4)
      .text("epoch");
  }

  /** The values of the shown runs at an epoch. */
  function readingAt(data, epoch, hidden) {
    const shown = data.runs.filter((run, number) => !hidden.has(`run ${number}`));
    const rows = shown.map((run) => [
      run.name,
      ...PANELS.flatMap(({ quantity, text }) =>
        PARTS.map((part) => text(run.history[`${part}_${quantity}`][epoch - 1])),
      ),
    ]);
    if (Object.keys(data.claims).length) {
      const claims = ["accuracy", "loss"].flatMap((quantity) =>
        PARTS.map((part) => claimText(data.claims[`${part}_${quantity}`], quantity)),
      );
      rows.push(["◇ the paper", ...claims]);
    }
    return rows;
  }

  /** A figure of the paper with no more digits than it has. */
  function claimText(value, quantity) {
    if (value === undefined) return "–";
    return quantity === "accuracy" ? `${Number((100 * value).toFixed(2))}\u00a0%` : String(value);
  }

  /** A table of values: its body is written anew at every move of the cursor. */
  function valueTable(first) {
    const make = report.make;
    const head = make("tr", {}, make("th", { rowspan: 2, scope: "col" }, first));
    const parts = make("tr");
    for (const { title } of PANELS) {
      head.append(make("th", { colspan: 2, scope: "colgroup" }, title));
      parts.append(...PARTS.map((part) => make("th", { scope: "col" }, part)));
    }
    const body = make("tbody");
    return {
      body,
      table: make("table", { class: "values" }, make("thead", {}, head, parts), body),
    };
  }

  /** A table of all values, made when it is first opened. */
  function everyValue(data) {
    const details = report.make("details", { class: "every-value" });
    details.append(report.make("summary", {}, "Every value as a table"));
    details.addEventListener("toggle", () => {
      if (details.querySelector("table")) return;
      const { table, body } = valueTable("Epoch, run");
      for (let epoch = 1; epoch <= data.last; epoch += 1) {
        const rows = readingAt({ ...data, claims: {} }, epoch, new Set());
        body.append(
          ...rows.map(([name, ...values]) => report.row([`${epoch}, ${name}`, ...values])),
        );
      }
      const box = { class: "scrolling", tabindex: 0, role: "region", "aria-label": "Every value" };
      details.append(report.make("div", box, table));
    });
    return details;
  }

  /** Shows the curves of runs in a place, in the colours of parts or of runs.
      data: {runs: [{name, history}], claims}. */
  report.curves = (place, { runs, claims = {} }, colour) => {
    const last = Math.max(...runs.map((run) => run.history.training_loss.length));
    const data = { runs, claims, last };
    const hidden = new Set();
    const isShown = (line) => !hidden.has(`run ${line.number}`) && !hidden.has(line.part);
    let epoch = last;
    let panels = [];

    const { table, body } = valueTable("Run");
    const slider = report.make("input", { type: "range", min: 1, max: last, value: last });
    const output = report.make("output");

    function update() {
      output.textContent = `${epoch} of ${last}`;
      slider.value = epoch;
      slider.setAttribute("aria-valuetext", `epoch ${epoch} of ${last}`);
      for (const panel of panels) panel.move(epoch, isShown);
      body.replaceChildren(...readingAt(data, epoch, hidden).map(report.row));
    }
    function toggle(what, ticked) {
      hidden[ticked ? "delete" : "add"](what);
      update();
    }
    function follow(panel) {
      panel.svg.addEventListener("pointermove", (event) => {
        const [across, down] = d3.pointer(event, panel.svg);
        epoch = panel.epochAt(across);
        update();
        for (const other of panels) other.name(epoch, other === panel ? down : null, isShown);
      });
      panel.svg.addEventListener("pointerleave", () => panel.name(epoch, null, isShown));
    }

    const boxes = PANELS.map(() => report.make("div", { class: "drawing" }));
    const drawings = PANELS.map(({ title }, at) =>
      report.make(
        "div",
        { class: "panel" },
        report.make("p", { class: "title" }, title),
        boxes[at],
      ),
    );
    slider.addEventListener("input", () => {
      epoch = Number(slider.value);
      update();
    });
    const options = runs.map((run, number) => ({
      value: `run ${number}`,
      label: run.name,
      mark: colour === "run" ? sample({ run: number, part: "validation" }) : null,
    }));
    const parts = PARTS.map((part) => ({ value: part, label: part, mark: sample({ part }) }));
    place.dataset.colour = colour;
    place.classList.add("curves");
    place.append(
      report.make(
        "div",
        { class: "controls" },
        report.ticks("Lines", parts, toggle),
        report.ticks("Runs", options, toggle),
      ),
      report.make("div", { class: "panels" }, ...drawings),
      report.labelled("Epoch", slider, output),
      report.make("div", { class: "scrolling-across" }, table),
      everyValue(data),
    );

    let width = 0;
    function fit() {
      if (boxes[0].clientWidth === width || !boxes[0].clientWidth) return;
      width = boxes[0].clientWidth;
      panels = PANELS.map((panel, at) => draw(boxes[at], panel, data, width));
      panels.forEach(follow);
      update();
    }
    update();
    fit();
    new ResizeObserver(fit).observe(place);
  };

  report.start("curves", (place, data) => {
    report.putIntoFigure(place, data.figure);
    report.curves(place, data, "part");
  });
}
