"""What pages say of the study in prose, which a new record can make false: named and checked.

A comment `holds: NAME, NAME` in a paragraph, list or table of a page names the checks below that
its sentences rest on. In Markdown it is `<!-- holds: NAME -->` on the line before; in paper.yml a
comment of YAML anywhere, because its texts stand on pages without their comments.
"""

import functools
import json
import re
import tomllib
from datetime import UTC, datetime

import pytest
import yaml
from helpers import each
from synthetic import group, record, study

from ferutils import paths
from ferutils.claims import paper, selection, verdicts
from ferutils.claims.paper import ALPHA, Verdict
from ferutils.records import examination, first_steps, keeping, recipes
from ferutils.records import study as studies
from ferutils.report import backends

# Words by which a sentence may be about the state of the study, and no check of it be missing.
NUMBER = r"(\d[\d,.]*|three|four|five|six|seven|eight|nine|ten|several)"
SUSPICIOUS = re.compile(
    r"\byet\b|\bso far\b|\bat present\b|\btoday\b"
    r"|\b(each|every|all) (recipe|seed)s?\b"
    r"|\balways\b(?! “| giving| answering)"  # which are baselines
    r"|\b(twice|half|\w+ times) as\b"
    rf"|\b{NUMBER}( \w+)? (hours?|minutes?|runs?|seeds?|epochs?|cores?|images)\b"
    r"|\d(?<!95)\s?%",  # 95 % is the confidence of every interval
    re.IGNORECASE,
)
HOLDS = re.compile(r"holds: ([a-z0-9-]+(?:, [a-z0-9-]+)*)")
QUOTED = re.compile(r"“[^”]*”|`[^`]*`")  # the paper's words, and code
FENCED = re.compile(r"^(`{3,})(?!text)[^\n]*\n.*?^\1$", re.MULTILINE | re.DOTALL)

CHECKS = {}


def check(function):
    """Let pages name a check; its name is that of the function, with dashes."""
    CHECKS[function.__name__.replace("_", "-")] = function
    return function


def devices(records):
    return {one.run.environment.device for one in records}


@check
def shallow_and_improved_have_several_seeds(found):
    return all(len(found.by_model[model]) >= 3 for model in ("shallow", "improved"))


@check
def shallow_and_improved_take_minutes_on_two_cores(found):
    every = [one for model in ("shallow", "improved") for one in found.by_model[model]]
    short = all(one.run.cost.wall_seconds < 3600 for one in every)
    return bool(every) and short and all(name.endswith(" 2 cores") for name in devices(every))


@check
def deep_takes_a_processor_more_than_an_hour(found):
    every = [one for one in found.by_model["deep"] if "cores" in one.run.environment.device]
    return bool(every) and all(one.run.cost.wall_seconds > 3600 for one in every)


@check
def deep_is_trained_whole_in_mixed_precision(found):
    every = [one.recipe for one in found.by_model["deep"]]
    return bool(every) and all(
        one.precision == "mixed_bfloat16" and not one.reduced for one in every
    )


@check
def reduced_deep_run_is_listed(found):
    return any(one.recipe.model == "deep" and one.recipe.reduced for one in found.records)


@check
def each_text_network_is_recorded(found):
    groups = found.part("text")
    names = {one.recipe.printed_model for one in groups}
    return names == set(recipes.PAPER) and all(one.records for one in groups)


@check
def augmented_runs_are_recorded(found):
    return any(one.records for one in found.part("augmented"))


@check
def rule_is_younger_than_most_runs(found):
    date = datetime.fromisoformat(str(paper.load().rule.date)).date()
    older = sum(one.run.started.date() < date for one in found.records)
    return older > len(found.records) / 2


@check
def xla_is_off_in_the_study(found):
    return not any(one.xla for group in found.groups for one in group.entry.recipes)


@check
def other_settings_are_not_tested(found):
    settings = verdicts.about(verdicts.findings(paper.load(), found), "settings")
    tested = {one.claim.place for one in settings if one.verdict != Verdict.NOT_TESTED}
    return tested <= {"Table 1", "Table 2"}


@check
def backends_have_five_seeds(_):
    every = backends.read().values()
    return all(len(records) == 5 for records in every)


@check
def backends_take_the_same_steps(_):
    every = [one for some in first_steps.read().networks.values() for one in some.values()]
    shallow = first_steps.read().networks["shallow"].values()
    first = first_steps.read().networks["shallow"][first_steps.FIRST]
    return all(one.statistics < 1e-5 for one in every) and all(
        max(one.gradient, one.update) < 1e-2 and one.losses == pytest.approx(first.losses, rel=0.01)
        for one in shallow
    )


@check
def the_deep_network_amplifies_rounding(_):
    shallow, deep = (first_steps.read().networks[model] for model in ("shallow", "deep"))
    others = [deep[name] for name in ("jax", "torch")]
    return (
        deep[first_steps.ROUNDED].update > 10 * shallow[first_steps.ROUNDED].update
        and deep[first_steps.ROUNDED].gradient > 1e-3
        and all(one.gradient > deep[first_steps.ROUNDED].gradient for one in others)
    )


@check
def backends_ran_a_reduced_recipe_on_one_machine(_):
    every = backends.every(backends.read())
    return len(devices(every)) == 1 and all(one.recipe.reduced for one in every)


@check
def shallow_cross_validation_has_four_times_its_first_images(_):
    first = 1500  # as commit 20609f1 recorded it
    return selection.read("shallow").settings.images == 4 * first


@check
def shallow_cross_validation_prefers_the_cell_of_the_paper(_):
    shallow = selection.read("shallow")
    return shallow.best == shallow.paper and shallow.p_value("hidden_neurons") >= ALPHA


@check
def deep_cross_validation_decides_nothing(_):
    return not selection.read("deep").measures


@check
def examination_misses_captions_and_rotations(_):
    planted = examination.read().planted
    share = {kind: count / planted.pictures for kind, count in planted.found.items()}
    missed = ("with a bar of text", "rotated by 10 degrees")
    few = all(share[kind] < 0.05 for kind in missed)
    # A slight rotation is on neither side: the pages say nothing of it.
    return few and all(
        found > 0.95
        for kind, found in share.items()
        if kind not in missed and "rotated" not in kind
    )


@check
def records_keep_epochs_10_and_30(_):
    return keeping.HORIZONS == (10, 30)


@check
def python_is_3_11_to_3_13(_):
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]
    return project["requires-python"] == ">=3.11,<3.14"


# ---- the pages ----------------------------------------------------------------------------------

PAGES = sorted([*paths.BOOK.glob("*.md"), *(paths.ROOT / "notebooks").glob("*.ipynb")])
PAPER_TEXTS = ("why", "default", "comment", "text", "history", "cross_validation")


def prose_of(page):
    """The Markdown of a page."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(one["source"]) for one in cells if one["cell_type"] == "markdown")


def own_words(content):
    """Our own texts in paper.yml, wherever they stand; `says` is the paper's."""
    if isinstance(content, list):
        return [text for one in content for text in own_words(one)]
    if not isinstance(content, dict):
        return []
    own = [text for name, text in content.items() if name in PAPER_TEXTS]
    return [text for text in own if isinstance(text, str)] + own_words(list(content.values()))


def without_printed(text):
    """A text on the paper without the percentages that the paper prints."""
    printed = {str(getattr(one, "printed", "")) for one in paper.load().claims}
    return re.sub(r"\d+%", lambda found: "" if found[0] in printed else found[0], text)


def declared(text):
    """The names of the checks that a text declares."""
    return [name for found in HOLDS.findall(text) for name in found.split(", ")]


def unchecked(text):
    """The suspicious words of a text, with what is around them, where no check is named."""
    found = []
    for block in re.split(r"\n\s*\n", FENCED.sub("", text)):
        if not HOLDS.search(block):
            words = QUOTED.sub("“”", block)
            found += [words[max(0, at.start() - 40) : at.end() + 20]
                      for at in SUSPICIOUS.finditer(words)]  # fmt: skip
    return found


@functools.cache
def recorded():
    return studies.read()


def all_declared():
    texts = [*map(prose_of, PAGES), paper.PAPER_FILE.read_text(encoding="utf-8")]
    return sorted({name for text in texts for name in declared(text)})


def test_pages_name_every_check_and_no_other():
    assert all_declared() == sorted(CHECKS)


@each("name", lambda: CHECKS)
def test_what_pages_say_of_the_study_holds(name):
    assert CHECKS[name](recorded()), f"Correct the sentences marked “holds: {name}”"


@each("page", lambda: PAGES, lambda page: page.name)
def test_what_a_record_could_make_false_is_checked(page):
    assert unchecked(prose_of(page)) == []


def test_what_a_record_could_make_false_in_the_texts_on_the_paper_is_checked():
    text = paper.PAPER_FILE.read_text(encoding="utf-8")
    words = own_words(yaml.safe_load(text))
    assert len(words) > 100
    found = [one for text in words for one in unchecked(without_printed(text))]
    assert found == []


# ---- the tests themselves -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "sentence",
    [
        "Whether it helps is not tested yet.",
        "So far the deep network has one run.",
        "Each recipe is run with care.",
        "The mean always lies below.",
        "A processor with AMX is twice as fast.",
        "It takes 24 minutes on a processor.",
        "An epoch takes several hours.",
        "The study has five recorded runs.",
        "It is right for 58.4\u00a0% of them.",
    ],
)
def test_a_sentence_that_may_become_false_wants_a_check(sentence):
    assert len(unchecked(sentence)) == 1
    assert len(unchecked(f"Before.\n\n- an item\n- {sentence}\n\nAfter.")) == 1
    assert len(unchecked(f"<!-- holds: elsewhere -->\nBefore.\n\n{sentence}")) == 1
    assert unchecked(f"<!-- holds: a-check, another -->\n{sentence}") == []


@pytest.mark.parametrize(
    "sentence",
    [
        "The interval is the 95\u00a0% one; a baseline is always “happy”.",
        "The paper says “for each seed, 90% after 10 epochs”.",
        "```bash\nsleep 10 minutes\n```",
    ],
)
def test_the_words_of_the_paper_commands_and_definitions_want_none(sentence):
    assert unchecked(sentence) == []


def test_only_what_the_paper_prints_may_be_typed():
    assert without_printed("It prints 58%, and we got 57%.") == "It prints , and we got 57%."


ALONE = study(record("shallow"), record("improved"), record("deep", epochs=2))
SEEDS = [record(model, seed=seed) for model in ("shallow", "improved") for seed in (0, 1, 2)]
LONG = record().run.cost.model_copy(update={"wall_seconds": 4000.0})
ON_TWO = record().run.environment.model_copy(update={"device": "a processor, 2 cores"})
MIXED = {"precision": "mixed_bfloat16", "run": {"cost": LONG, "environment": ON_TWO}}


@pytest.mark.parametrize(
    ("name", "true", "false"),
    [
        ("shallow-and-improved-have-several-seeds", study(*SEEDS), ALONE),
        ("deep-is-trained-whole-in-mixed-precision", study(record("deep", **MIXED)), ALONE),
        ("deep-takes-a-processor-more-than-an-hour", study(record("deep", **MIXED)), ALONE),
        ("reduced-deep-run-is-listed", ALONE, study(*SEEDS)),
        (
            "augmented-runs-are-recorded",
            study(others=[group("augmented", record(), model="shallow")]),
            study(others=[group("augmented", model="shallow")]),
        ),
        ("xla-is-off-in-the-study", ALONE, study(others=[group("other", model="deep", xla=True)])),
        (
            "rule-is-younger-than-most-runs",
            ALONE,
            study(record(run={"started": datetime(2030, 1, 1, tzinfo=UTC)})),
        ),
    ],
)
def test_a_check_fails_where_the_study_is_another(name, true, false):
    assert CHECKS[name](true)
    assert not CHECKS[name](false)
