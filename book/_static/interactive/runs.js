/* The table of all runs, a row for each recipe: sorted by its heads, filtered by the controls above
   it, and with the particulars of a recipe and its runs below its row. The rows are those that the
   page was built with: they are moved and left out, never made again, so that links to a run lead to
   it in any order. On paper none is left out. */
"use strict";

{
  const { make } = report;
  /* Which way a column sorts at the first press. */
  const FIRST = { Recipe: 1, Part: 1, Seeds: -1, "Validation (%)": -1, "Test (%)": -1, Minutes: 1 };

  /** Below nought where one comes before the other; what has no value comes last, either way. */
  function compare(one, other, way) {
    if (one === null || other === null) return (one === null) - (other === null);
    return one < other ? -way : Number(one > other) * way;
  }

  const option = (value, label = value) => ({ value, label });

  /** A button that copies a command; where that is not allowed, it selects it. */
  function copier(code) {
    const button = make("button", { type: "button" }, "Copy");
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

  /** Names beside what is said of them. */
  function list(pairs) {
    const terms = pairs.map(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]);
    return make("dl", {}, ...terms.map((pair) => make("div", {}, ...pair)));
  }

  /** The recorded runs, a line each, and below them what all of them have in common. */
  function lines(runs, tick) {
    const names = Object.keys(runs[0].origin);
    const alike = (name) => runs.every((run) => run.origin[name] === runs[0].origin[name]);
    const apart = names.filter((name) => !alike(name));
    const heads = ["Seed", ...Object.keys(runs[0].scores), ...apart];
    const table = make(
      "table",
      { class: "values" },
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
      make("tbody"),
    );
    for (const run of runs) {
      const seed = make("label", { class: "tick" }, tick(run), String(run.seed));
      const told = apart.map((name) => run.origin[name]);
      run.line = report.row([seed, ...Object.values(run.scores), ...told]);
      table.tBodies[0].append(run.line);
    }
    return [
      make("p", { class: "title" }, "Recorded runs, 95 % intervals; tick two to compare them"),
      make("div", { class: "scrolling-across" }, table),
      list(names.filter(alike).map((name) => [name, runs[0].origin[name]])),
    ];
  }

  /** The command, runs and parameters of a recipe. */
  function particulars({ command, runs, parameters }, tick) {
    const code = make("code", {}, command);
    return make(
      "div",
      { class: "interactive particulars" },
      make("div", { class: "command" }, make("pre", {}, code), copier(code)),
      ...(runs.length ? lines(runs, tick) : []),
      make("p", { class: "title" }, "Recipe"),
      list(parameters),
    );
  }

  /** Puts a button before a row's command, which opens the particulars below the row. */
  function openable(recipe, columns, tick) {
    const below = make("td", { colspan: columns });
    recipe.below = make("tr", { hidden: true }, below);
    const button = make(
      "button",
      { type: "button", class: "open", "aria-label": `Details of ${recipe.name}` },
      make("span", {}, "Details"),
    );
    recipe.show = (opens) => {
      if (opens && !below.hasChildNodes()) below.append(particulars(recipe, tick));
      recipe.below.hidden = !opens;
      button.setAttribute("aria-expanded", String(opens));
    };
    button.addEventListener("click", () => recipe.show(recipe.below.hidden));
    recipe.show(false);
    recipe.row.lastElementChild.prepend(button); // the command itself stays for print
    recipe.row.after(recipe.below);
  }

  /** Makes the heads of a table sort it. */
  function sortable(table, recipes) {
    const heads = [...table.tHead.rows[0].cells];
    for (const head of heads) {
      const name = head.textContent.trim();
      if (!FIRST[name]) continue;
      const button = make("button", { type: "button", class: "sort" }, name);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const before = { ascending: 1, descending: -1 }[head.getAttribute("aria-sort")];
        const way = before ? -before : FIRST[name];
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
        const order = (one, other) => compare(one.sort[name], other.sort[name], way);
        // Equal ones stay as the study lists them.
        recipes.sort((one, other) => order(one, other) || one.sort.Recipe - other.sort.Recipe);
        table.tBodies[0].append(...recipes.flatMap(({ row, below }) => [row, below]));
      });
    }
  }

  /** The controls that filter, and the line that counts. */
  function filters(recipes) {
    const search = make("input", { type: "search", autocomplete: "off" });
    const least = make("input", { type: "number", min: 0, max: 100, step: 0.5 });
    least.setAttribute("inputmode", "decimal");
    const recorded = make("input", { type: "checkbox", checked: true });
    const status = make("p", { role: "status", class: "found" });
    const names = (key) => [...new Set(recipes.map((one) => one[key]))].map((name) => option(name));
    const choice = (key) =>
      report.list({ "": [option("", "all"), ...names(key)] }, "", () => update());
    const network = choice("network");
    const part = choice("part");
    const clear = make("button", { type: "button" }, "Show all");

    function isFound(recipe) {
      const words = search.value.toLowerCase().split(/\s+/);
      const validation = recipe.means["Validation (%)"];
      return (
        words.every((word) => recipe.text.includes(word)) &&
        (!network.value || recipe.network === network.value) &&
        (!part.value || recipe.part === part.value) &&
        (!least.value || (validation !== null && validation >= Number(least.value))) &&
        (!recorded.checked || recipe.runs.length > 0)
      );
    }
    function update() {
      const found = recipes.filter(isFound);
      for (const one of recipes) {
        for (const row of [one.row, one.below]) {
          row.classList.toggle("is-left-out", !found.includes(one));
        }
      }
      status.textContent = `${found.length} of ${recipes.length} recipes`;
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

  /** A bar that names the ticked runs, two of which can be compared, and what gives a run its box. */
  function comparable() {
    const link = make("a", { class: "button" }, "Set them beside each other");
    const told = make("span", { role: "status" });
    const bar = make("div", { class: "compare", hidden: true }, told, link);
    const ticked = [];
    const update = () => {
      bar.hidden = ticked.length === 0;
      const names = ticked.map((run) => run.name).join(" and ");
      told.textContent = ticked.length < 2 ? `${names}: tick one more run` : names;
      link.hidden = ticked.length < 2;
      if (ticked.length < 2) link.removeAttribute("href");
      else link.href = `two_runs.html#first=${ticked[0].id}&second=${ticked[1].id}`;
    };
    const tick = (run) => {
      run.box = make("input", { type: "checkbox", "aria-label": `Compare ${run.name}` });
      run.box.addEventListener("change", () => {
        if (run.box.checked) ticked.push(run);
        else ticked.splice(ticked.indexOf(run), 1);
        if (ticked.length > 2) ticked.shift().box.checked = false;
        update();
      });
      return run.box;
    };
    return { bar, tick };
  }

  report.start("runs", (place, data) => {
    const table = place.closest(".cell_output").querySelector("table");
    const rows = [...table.tBodies[0].rows];
    const recipes = data.recipes.map((recipe, order) => {
      const { name, part, command, runs, means } = recipe;
      const words = [name, part, command, ...runs.flatMap((run) => [run.id, run.origin.Device])];
      const sort = { Recipe: order, Part: part, Seeds: runs.length, ...means };
      return { ...recipe, sort, row: rows[order], text: words.join(" ").toLowerCase() };
    });
    table.classList.add("all-runs");
    const { bar: compareBar, tick } = comparable();
    const heads = table.tHead.rows[0].cells;
    heads[heads.length - 1].prepend(make("span", { class: "unseen" }, "Details"));
    for (const recipe of recipes) openable(recipe, heads.length, tick);
    sortable(table, recipes);
    const { bar, reset } = filters(recipes);
    place.append(bar);
    (table.closest(".pst-scrollable-table-container") ?? table).after(compareBar);

    /* A link to a run opens its recipe, whatever is filtered, and though the table has moved since. */
    const lead = () => {
      const target = location.hash && document.getElementById(location.hash.slice(1));
      const recipe = target && recipes.find(({ row }) => row.contains(target));
      if (!recipe) return;
      if (recipe.row.classList.contains("is-left-out")) reset();
      recipe.show(true);
      for (const run of recipe.runs) {
        run.line.classList.toggle("is-meant", target.id === `run-${run.id}`);
      }
      recipe.row.scrollIntoView();
    };
    addEventListener("hashchange", lead);
    lead();
  });
}
