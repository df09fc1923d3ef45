/* The table of all runs: sorted by its heads, filtered by the controls above it, and with the
   particulars of a run below its row. The rows are those that the page was built with: they are
   moved and hidden, never made again, so that links to a run lead to it in any order. */
"use strict";

{
  const { make } = report;
  /* By which number or word a column sorts, and which way at the first press. */
  const COLUMNS = {
    Run: { of: (run) => run.order, first: 1 },
    Part: { of: (run) => run.part, first: 1 },
    Validation: { of: (run) => run.validation, first: -1 },
    Test: { of: (run) => run.test, first: -1 },
    Minutes: { of: (run) => run.minutes, first: 1 },
  };

  /** Below nought where one comes before the other; what has no value comes last, either way. */
  function compare(one, other, way) {
    if (one === null || other === null) return (one === null) - (other === null);
    return one < other ? -way : Number(one > other) * way;
  }

  const option = (value, label = value) => ({ value, label });

  /** A button that copies a command; where that is not allowed, it selects it. */
  function copier(code) {
    const button = make("button", { type: "button", class: "copy" }, "Copy");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected: press Ctrl+C";
      }
    });
    return button;
  }

  /** Recipe, scores, cost, origin and command of a run. */
  function particulars(run) {
    const list = (pairs) => {
      const terms = pairs.map(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]);
      return make("dl", {}, ...terms.map((pair) => make("div", {}, ...pair)));
    };
    const section = (title, pairs) =>
      make("section", {}, make("p", { class: "title" }, title), list(pairs));
    const code = make("code", {}, run.command);
    const groups = Object.entries({ Recipe: run.recipe, ...run.particulars });
    return make(
      "div",
      { class: "particulars" },
      make(
        "div",
        { class: "command" },
        make("p", { class: "title" }, "The command that repeats it"),
      ),
      make("div", { class: "command" }, make("pre", {}, code), copier(code)),
      ...groups.map(([title, pairs]) => section(title, pairs)),
    );
  }

  /** Puts a button in the place of a row's command, which opens the particulars below the row. */
  function openable(run, columns) {
    const below = make("td", { colspan: columns });
    const row = make("tr", { class: "below", hidden: true }, below);
    const says = {
      type: "button",
      "aria-expanded": "false",
      "aria-label": `Details of ${run.name}`,
    };
    const button = make("button", { ...says, class: "open" }, make("span", {}, "Details"));
    button.addEventListener("click", () => {
      const opens = row.hidden;
      if (opens && !below.hasChildNodes()) below.append(particulars(run));
      row.hidden = !opens;
      button.setAttribute("aria-expanded", String(opens));
    });
    run.row.cells[run.row.cells.length - 1].prepend(button); // the command itself stays for print
    run.row.after(row);
    return row;
  }

  /** Makes the heads of a table sort it. */
  function sortable(table, runs) {
    const body = table.tBodies[0];
    for (const head of table.tHead.rows[0].cells) {
      const column = COLUMNS[head.textContent.trim()];
      if (!column) continue;
      const button = make("button", { type: "button", class: "sort" }, head.textContent.trim());
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const sorted = head.getAttribute("aria-sort");
        const before = { ascending: 1, descending: -1 }[sorted];
        const way = before ? -before : column.first;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
        const order = (one, other) => compare(column.of(one), column.of(other), way);
        // Equal ones stay as the study lists them.
        runs.sort((one, other) => order(one, other) || one.order - other.order);
        body.append(...runs.flatMap((run) => [run.row, run.below]));
      });
    }
  }

  /** The controls that filter, and the line that counts. */
  function filters(runs) {
    const search = make("input", { type: "search", autocomplete: "off" });
    const least = make("input", { type: "number", min: 0, max: 100, step: 0.5 });
    least.setAttribute("inputmode", "decimal");
    const recorded = make("input", { type: "checkbox" });
    const status = make("p", { role: "status", class: "found" });
    const names = (key) => [...new Set(runs.map((run) => run[key]))].map((name) => option(name));
    const list = (key) =>
      report.list({ "": [option("", "all"), ...names(key)] }, "", () => update());
    const network = list("network");
    const part = list("part");
    const clear = make("button", { type: "button" }, "Show all");

    function isFound(run) {
      const words = search.value.toLowerCase().split(/\s+/);
      return (
        words.every((word) => run.text.includes(word)) &&
        (!network.value || run.network === network.value) &&
        (!part.value || run.part === part.value) &&
        (!least.value ||
          (run.validation !== null && 100 * run.validation >= Number(least.value))) &&
        (!recorded.checked || run.id !== null)
      );
    }
    function update() {
      const found = runs.filter((run) => {
        run.row.hidden = !isFound(run);
        run.below.classList.toggle("is-left-out", run.row.hidden);
        return !run.row.hidden;
      });
      status.textContent = `${found.length} of ${runs.length} runs; tick two to set them beside each other`;
    }
    function reset() {
      for (const control of [search, least, network, part]) control.value = "";
      recorded.checked = false;
      update();
    }
    for (const control of [search, least]) control.addEventListener("input", update);
    recorded.addEventListener("change", update);
    clear.addEventListener("click", reset);
    const bar = make(
      "div",
      { class: "controls", role: "search", "aria-label": "Filter the runs" },
      report.labelled("Search", search),
      report.labelled("Network", network),
      report.labelled("Part of the study", part),
      report.labelled("Validation accuracy at least", least, " %"),
      make("label", { class: "control tick" }, recorded, "recorded only"),
      clear,
      status,
    );
    update();
    return { bar, reset };
  }

  /** A box before each recorded run; two that are ticked can be set beside each other. */
  function comparable(table, runs) {
    const link = make("a", { class: "button" }, "Set them beside each other");
    const told = make("span", { role: "status" });
    const bar = make("div", { class: "compare", hidden: true }, told, link);
    const ticked = [];
    table.tHead.rows[0].prepend(
      make("th", { class: "head" }, make("span", { class: "unseen" }, "Compare")),
    );
    const update = () => {
      bar.hidden = ticked.length === 0;
      const names = ticked.map((run) => run.name).join(" and ");
      told.textContent = ticked.length < 2 ? `${names}: tick one more run` : names;
      link.hidden = ticked.length < 2;
      if (ticked.length < 2) link.removeAttribute("href");
      else link.href = `two_runs.html#first=${ticked[0].id}&second=${ticked[1].id}`;
    };
    for (const run of runs) {
      const cell = make("td");
      run.row.prepend(cell);
      run.row.classList.toggle("is-open", !run.id);
      if (!run.id) continue;
      run.box = make("input", { type: "checkbox", "aria-label": `Compare ${run.name}` });
      cell.append(run.box);
      run.box.addEventListener("change", () => {
        if (run.box.checked) ticked.push(run);
        else ticked.splice(ticked.indexOf(run), 1);
        if (ticked.length > 2) ticked.shift().box.checked = false;
        update();
      });
    }
    return bar;
  }

  report.start("runs", (place, data) => {
    const table = place.closest(".cell_output").querySelector("table");
    const rows = [...table.tBodies[0].rows];
    const runs = data.runs.map((run, order) => {
      const words = [run.name, run.id, run.part, run.device, run.command];
      return { ...run, order, row: rows[order], text: words.join(" ").toLowerCase() };
    });
    table.classList.add("all-runs");
    const compareBar = comparable(table, runs);
    const heads = table.tHead.rows[0].cells;
    heads[heads.length - 1].prepend(make("span", { class: "unseen" }, "Details"));
    for (const run of runs) run.below = openable(run, heads.length);
    sortable(table, runs);
    const { bar, reset } = filters(runs);
    place.append(bar);
    (table.closest(".pst-scrollable-table-container") ?? table).after(compareBar);

    /* A link to a run leads to it, whatever is filtered, and though the table has moved since. */
    const lead = () => {
      const target = location.hash && document.getElementById(location.hash.slice(1));
      const row = target && target.closest("tr");
      if (!row || !table.contains(row)) return;
      if (row.hidden) reset();
      target.scrollIntoView({ block: "center" });
    };
    addEventListener("hashchange", lead);
    lead();
  });
}
