/* The claims of the paper: filtered and ordered by the controls above them. The lines are those that
   the page was built with: they are hidden and moved, never made again. The address keeps the choice;
   a link to a claim opens it. */
"use strict";

{
  const { make } = report;
  const PAPER = "paper"; // the order; the other one is that in which the page was built

  /** A line of the list with what it is found by. */
  function read(element) {
    const { verdict, networks, places, rank } = element.dataset;
    return {
      element,
      home: element.parentElement,
      verdict,
      network: networks.split(" "),
      place: places.split("|"),
      rank: Number(rank),
    };
  }

  const isFound = (line, choice) =>
    ["verdict", "network", "place"].every(
      (name) => !choice[name] || [line[name]].flat().includes(choice[name]),
    );

  /** The controls; `change(name, value)` is called with a choice. */
  function controls(data, change) {
    const all = { value: "", label: "all" };
    const count = (slug) => make("span", { class: "count", "data-count": slug });
    const verdicts = data.verdicts.map((sign) => {
      const [mark, word] = sign.split(/\u00a0(.*)/);
      const slug = word.replaceAll(" ", "-");
      const label = make("span", {}, make("b", { class: `verdict-${slug}` }, mark), ` ${word} `);
      label.append(count(slug));
      return { value: slug, label };
    });
    const every = { value: "", label: make("span", {}, "all ", count("")) };
    const listed = (texts) => texts.map((text) => ({ value: text, label: text }));
    const list = (name, options) =>
      report.list({ "": options }, "", (value) => change(name, value));
    const verdict = report.choice("Verdict", [every, ...verdicts], "", (value) =>
      change("verdict", value),
    );
    const lists = {
      network: list("network", [all, ...listed(data.networks)]),
      place: list("place", [all, ...listed(data.places)]),
      order: list("order", [
        { value: "", label: "by subject" },
        { value: PAPER, label: "as in the paper" },
      ]),
    };
    const bar = make(
      "div",
      { class: "controls", role: "search", "aria-label": "Filter the claims" },
      verdict,
      report.labelled("Network", lists.network),
      report.labelled("Place in the paper", lists.place),
      report.labelled("Order", lists.order),
    );
    const show = (choice) => {
      for (const input of verdict.querySelectorAll("input")) {
        input.checked = input.value === choice.verdict;
      }
      for (const [name, select] of Object.entries(lists)) select.value = choice[name];
    };
    return { bar, show };
  }

  report.start("claims", (place, data) => {
    const lines = [...document.querySelectorAll("details.claim")].map(read);
    const sections = new Map(lines.map(({ home }) => [home, home.closest("section")]));
    const choice = { verdict: "", network: "", place: "", order: "" };
    const flat = make("div", { class: "claims flat", hidden: true });
    const status = make("p", { role: "status", class: "found" });
    const { bar, show } = controls(data, (name, value) => {
      choice[name] = value;
      keep();
      update();
    });
    bar.append(status);
    place.append(bar);
    place.closest(".cell").after(flat);

    /** The lines in the order of the paper, under its sections, figures and tables. */
    function ordered() {
      const sorted = [...lines].sort((one, other) => one.rank - other.rank);
      let title = null;
      return sorted.flatMap((line) => {
        const begins = line.place[0] !== title;
        title = line.place[0];
        const head = () => make("p", { class: "part", role: "heading", "aria-level": 2 }, title);
        return begins ? [head(), line.element] : [line.element];
      });
    }

    /** A heading is shown where a line below it is. */
    function hideEmptyParts() {
      let shown = false;
      for (const one of [...flat.children].reverse()) {
        if (!one.matches(".part")) shown ||= !one.hidden;
        else [one.hidden, shown] = [!shown, false];
      }
    }

    function arrange() {
      const isFlat = choice.order === PAPER;
      if (isFlat === !flat.hidden) return;
      for (const line of lines) line.home.append(line.element);
      flat.replaceChildren(...(isFlat ? ordered() : []));
      flat.hidden = !isFlat;
    }

    function update() {
      arrange();
      for (const line of lines) line.element.hidden = !isFound(line, choice);
      for (const [home, section] of sections) {
        section.hidden = !home.querySelector("details:not([hidden])");
      }
      hideEmptyParts();
      const others = lines.filter((line) => isFound(line, { ...choice, verdict: "" }));
      for (const one of bar.querySelectorAll("[data-count]")) {
        const slug = one.dataset.count;
        one.textContent = others.filter(({ verdict }) => !slug || verdict === slug).length;
      }
      const found = lines.filter(({ element }) => !element.hidden).length;
      status.textContent = `${found} of ${lines.length} claims`;
      show(choice);
    }

    /** Writes the choice into the address, or takes it out of there. */
    function keep() {
      const chosen = Object.entries(choice).filter(([, value]) => value);
      const [page] = location.href.split("#");
      const fragment = new URLSearchParams(chosen).toString();
      history.replaceState(null, "", fragment ? `#${fragment}` : page);
    }

    /** Takes the choice from the address; a claim that it names is opened instead. */
    function follow() {
      const fragment = location.hash.slice(1);
      const named = fragment.startsWith("claim-") && document.getElementById(fragment);
      const chosen = new URLSearchParams(fragment.includes("=") ? fragment : "");
      for (const name of Object.keys(choice)) choice[name] = chosen.get(name) ?? "";
      update();
      if (!named) return;
      named.open = true;
      named.scrollIntoView({ block: "center" });
    }
    addEventListener("hashchange", follow);
    follow();
  });
}
