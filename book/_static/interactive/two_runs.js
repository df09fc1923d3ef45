/* Two runs beside each other: the tables and figures that the page was built with, for any two runs
   that the reader chooses. The address keeps the choice, so that it can be passed on. */
"use strict";

{
  const { make, statistics } = report;
  const points = (share) => {
    const text = (100 * share).toFixed(1);
    return text.startsWith("-") ? text.replace("-", "−") : `+${text}`;
  };
  const pValue = (value) => (value < 0.0005 ? "< 0.001" : value.toFixed(3));
  const ALONE = ["Only first", "Only second"];

  /** What two runs say of each image of a split; none where they did not see the same images. */
  function answers(data, first, second, split) {
    const [one, other] = [first, second].map((run) => run.splits[split]);
    if (one.images !== other.images) return null;
    const { count, labels, quantile } = data.images[one.images];
    const [truth, says, otherSays] = [labels, one.answers, other.answers].map((text) =>
      statistics.unpack(text, count),
    );
    const images = truth.map((label, place) => ({
      place,
      label,
      says: says[place],
      otherSays: otherSays[place],
      right: says[place] === label,
      otherRight: otherSays[place] === label,
    }));
    return { images, quantile };
  }

  /** How many of some images both, one or neither gets right. */
  function tally(images) {
    const number = (right, otherRight) =>
      images.filter((one) => one.right === right && one.otherRight === otherRight).length;
    return {
      both: number(true, true),
      alone: number(true, false),
      otherAlone: number(false, true),
      neither: number(false, false),
    };
  }

  function recipeRows(first, second) {
    const rows = Object.keys(first.recipe)
      .filter((name) => first.recipe[name] !== second.recipe[name])
      .map((name) => [name, first.recipe[name], second.recipe[name]]);
    return rows.length ? rows : [["none", "", ""]];
  }

  function differenceText(found) {
    if (!found) return "–";
    const { alone, otherAlone } = tally(found.images);
    const { value, low, high } = statistics.difference(
      alone,
      otherAlone,
      found.images.length,
      found.quantile,
    );
    return `${points(value)} (${points(low)} to ${points(high)})`;
  }

  function scoreRows(data, first, second, found) {
    const measures = Object.keys(first.splits[data.splits[0]].scores);
    const rows = measures.flatMap((measure, at) =>
      data.splits.map((split) => [
        `${measure}, ${split}`,
        first.splits[split].scores[measure],
        second.splits[split].scores[measure],
        at === 0 ? differenceText(found[split]) : "",
      ]),
    );
    rows.push(["Minutes of training", first.minutes, second.minutes, ""]);
    rows.push(["Device", first.device, second.device, ""]);
    return rows;
  }

  function verdictRows(data, found) {
    return data.splits
      .filter((split) => found[split])
      .map((split) => {
        const { both, alone, otherAlone, neither } = tally(found[split].images);
        const counts = [both, alone, otherAlone, neither].map(report.count);
        return [split, ...counts, pValue(statistics.mcnemar(alone, otherAlone))];
      });
  }

  function emotionRows(data, images) {
    return data.emotions.map((emotion, label) => {
      const those = images.filter((one) => one.label === label);
      const { alone, otherAlone } = tally(those);
      return [emotion, ...[those.length, alone, otherAlone].map(report.count)];
    });
  }

  const changed = (images) => images.filter((one) => one.right !== one.otherRight);
  const imageRow = (data, one) => [
    String(one.place),
    ...[one.label, one.says, one.otherSays].map((label) => data.emotions[label]),
  ];

  const VERDICTS = {
    both: "both",
    alone: "only first",
    otherAlone: "only second",
    neither: "neither",
  };

  function imageRows(data, differing) {
    const rows = differing.slice(0, data.most).map((one) => imageRow(data, one));
    return rows.length ? rows : [["none", "", "", ""]];
  }

  /** The verdicts of a split as a bar; the table below has the numbers. */
  function bar(split, images) {
    const counts = tally(images);
    const parts = Object.keys(VERDICTS).map((name) => {
      const part = make("span", { class: name });
      part.style.flexGrow = counts[name];
      return part;
    });
    return [make("span", {}, split), make("div", { class: "bar" }, ...parts)];
  }

  /** What the colours of the bars mean. */
  function legend() {
    const entries = Object.entries(VERDICTS).map(([name, label]) =>
      make("span", {}, make("i", { class: name }), label),
    );
    return make("div", { class: "legend" }, ...entries);
  }

  /** What holds a table and scrolls with it. */
  const holder = (table) => table.closest(".pst-scrollable-table-container") ?? table;

  /** The two runs that the address names, where it names any that there are. */
  function fromAddress(data) {
    const named = new URLSearchParams(location.hash.slice(1));
    return ["first", "second"].map((side, at) => {
      const asked = data.runs.find((run) => run.id === named.get(side));
      return asked ?? data.runs.find((run) => run.id === data.shown[at]);
    });
  }

  report.start("two-runs", (place, data) => {
    let [first, second] = fromAddress(data);
    let split = data.splits.at(-1);
    const table = (name) =>
      document.getElementById(`two-runs-${name}`).closest("table") ??
      document.querySelector(`#two-runs-${name} table`);

    /* The curves of both in the place of the picture, in print too: it is of one pair only. */
    const figure = document.getElementById("two-runs-curves");
    const described = figure.querySelector("img").alt;
    const curves = make("div", { role: "group", "aria-label": described });
    figure.querySelector(".picture").hidden = true;
    figure.prepend(curves);

    const images = table("images");
    const note = make("p", { role: "status", class: "found" });
    const save = make("button", { type: "button" }, "Download them all (CSV)");
    const bars = make("div", { class: "interactive bars", "aria-hidden": "true" });
    const splits = data.splits.map((value) => ({ value, label: value }));
    const choice = report.choice("Images of", splits, split, (value) => {
      split = value;
      update();
    });
    holder(table("verdicts")).before(bars);
    holder(table("emotions")).before(make("div", { class: "interactive" }, choice));
    holder(images).before(make("div", { class: "interactive list-head" }, note, save));
    const box = { tabindex: 0, role: "region", "aria-label": "Images that change verdict" };
    for (const [key, value] of Object.entries(box)) holder(images).setAttribute(key, value);
    holder(images).classList.add("scrolling");

    const links = make("p", { class: "found" });
    const lists = ["First run", "Second run"].map((label, side) => {
      const control = report.labelled(
        label,
        chooser(data, (id) => choose(side, id)),
      );
      control.prepend(make("i", { class: side ? "otherAlone" : "alone" }));
      return control;
    });
    const swap = make("button", { type: "button" }, "Swap them");
    swap.addEventListener("click", () => {
      [first, second] = [second, first];
      update();
    });
    place.classList.add("two-runs");
    place.append(make("div", { class: "controls" }, ...lists, swap), links);

    function choose(side, id) {
      const run = data.runs.find((one) => one.id === id);
      if (side === 0) first = run;
      else second = run;
      update();
    }

    function update() {
      const heads = [`First: ${first.name}`, `Second: ${second.name}`];
      const found = Object.fromEntries(
        data.splits.map((name) => [name, answers(data, first, second, name)]),
      );
      const seen = found[split]?.images ?? [];
      const differing = changed(seen);
      [first, second].forEach((run, side) => (lists[side].querySelector("select").value = run.id));
      links.replaceChildren(
        ...[first, second].flatMap((run, side) => [
          side ? ", " : "Recipe, cost and command: ",
          make("a", { href: `runs.html#run-${run.id}` }, run.name),
        ]),
      );
      report.fill(table("recipes"), ["Parameter", ...heads], recipeRows(first, second));
      report.fill(
        table("scores"),
        ["Score", ...heads, "Difference, points"],
        scoreRows(data, first, second, found),
      );
      report.fill(
        table("verdicts"),
        ["Split", "Both", ...ALONE, "Neither", "p"],
        verdictRows(data, found),
      );
      report.fill(
        table("emotions"),
        ["Emotion", "Images", ...ALONE],
        found[split] ? emotionRows(data, seen) : [],
      );
      report.fill(
        images,
        ["Image", "True emotion", "First says", "Second says"],
        imageRows(data, differing),
      );
      const known = data.splits.filter((name) => found[name]);
      bars.replaceChildren(...known.flatMap((name) => bar(name, found[name].images)), legend());
      const shown = Math.min(data.most, differing.length);
      note.textContent = found[split]
        ? `${report.count(differing.length)} images of ${split} change verdict` +
          (shown < differing.length ? `; the first ${shown} are below.` : ".")
        : "These runs were evaluated on different images, so that none can be compared.";
      save.hidden = !differing.length;
      save.onclick = () => download(data, differing, `${first.id}-${second.id}-${split}.csv`);
      const runs = [first, second].map(({ name, history }) => ({ name, history }));
      const drawn = make("div", { class: "interactive" });
      curves.replaceChildren(drawn);
      report.curves(drawn, { runs }, "run");
      const asBuilt = first.id === data.shown[0] && second.id === data.shown[1];
      figure.querySelector(".downloads").hidden = !asBuilt;
    }

    function keep() {
      history.replaceState(null, "", `#first=${first.id}&second=${second.id}`);
    }
    place.addEventListener("change", keep);
    swap.addEventListener("click", keep);
    addEventListener("hashchange", () => {
      [first, second] = fromAddress(data);
      update();
    });
    update();
  });

  /** A list of all runs, by the part of the study that they belong to. */
  function chooser(data, change) {
    const groups = {};
    for (const run of data.runs) {
      (groups[run.part] ??= []).push({ value: run.id, label: run.name });
    }
    return report.list(groups, null, change);
  }

  /** Hands the reader all images that changed verdict. */
  function download(data, differing, name) {
    const rows = [["image", "true_emotion", "first_says", "second_says"]];
    rows.push(...differing.map((one) => imageRow(data, one)));
    const text = rows.map((row) => `${row.join(",")}\n`).join("");
    const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    make("a", { href: address, download: name }).click();
    URL.revokeObjectURL(address);
  }
}
