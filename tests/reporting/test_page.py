"""The page as a reader uses it: in a real Chromium, opened from the disk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from chromium import launched
from conftest import ROOT, Run
from llm_juries.analysis.settings import Analysis, Settings
from llm_juries.data.columns import Given
from llm_juries.data.dataset import Dataset, Recording, Seen
from llm_juries.data.verdicts import RecordedColumn, load
from llm_juries.errors import JuriesError
from llm_juries.judges.base import Limits, PromptedJudge
from llm_juries.judges.decoding import Decoding
from llm_juries.juries.rules import Jury
from llm_juries.prompts.prompt import Prompt
from llm_juries.reporting.figures import Drawn
from llm_juries.reporting.page import page
from llm_juries.reporting.page.columns import Strings, browsable
from llm_juries.store.plan import Plan
from llm_juries.store.store import Store
from llm_juries.study import Study
from llm_juries.types import Item, Order, Reply
from studies import measured, study_of

pytestmark = pytest.mark.slow

NQ301 = ROOT / "results" / "recorded" / "nq301_qa.csv"
LLMBAR = ROOT / "results" / "recorded" / "llmbar_pairwise.parquet"
HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "{{ 7 * 7 }}{% for x in y %}",
    "<!--<script>",
    "&lt;b&gt; & \\u003c \u2028 \x00",
)


def written(studies: list[Study], folder: Path, figures: Drawn | None = None) -> Path:
    path = folder / "report.html"
    with Store(folder / "store") as store:
        page.write(measured(studies, store), store, path, figures)
    return path


def made_up(texts: tuple[str, ...], name: str = "made_up") -> Dataset:
    """Return a dataset of one answer a text, where each text is everywhere a text can be."""
    items = tuple(
        Item(name, f"q{n}", f"c {text}", text, text, (text,), human=float(n % 2))
        for n, text in enumerate(texts)
    )
    cells = [Seen(item.item_id, item.candidate, "", Order.ORIGINAL) for item in items]
    ever = Recording("ever", "p", "f", "judge", "s", dict.fromkeys(cells, "true"))
    odd = dict(zip(cells, texts, strict=True))
    prose = Recording("prose", "p", "g", "judge", "s", odd)
    return Dataset(name, items, labels="made up", recordings=(ever, prose))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of the recorded verdicts that ship with the project."""
    judges = {
        "gpt_4": RecordedColumn("openai"),
        "text_davinci_003": RecordedColumn("openai"),
        "bem": RecordedColumn("bert", threshold=0.5),
        "contains": RecordedColumn("lexical", "lexical"),
    }
    columns: Given = {"item_id": "item", "candidate": "model"}
    qa = load(str(NQ301), "nq301", columns=columns, judges=judges, empty="unparsed")
    pairs = load(
        str(LLMBAR),
        "llmbar",
        columns={"item_id": ("subset", "item"), "label": "winner"},
        words={"1": 1, "2": 0},
        prompts=["Metrics_Reference"],
        pairs=True,
        empty="unparsed",
    )
    trio = Jury("trio", ("gpt_4", "text_davinci_003", "bem"))
    folder = tmp_path_factory.mktemp("recorded")
    picture = folder / "kappa.png"
    Image.new("RGB", (40, 30)).save(picture)
    drawn = Drawn([picture], ["A grey square."])
    return written([study_of(qa, [trio]), study_of(pairs)], folder, drawn)


@pytest.fixture(scope="module")
def tab(chromium: Browser, recorded: Path) -> Iterator[Page]:
    yield from open_page(chromium, recorded)


@pytest.fixture
def opened(tab: Page) -> Page:
    """Return the browser of items as it is when it opens."""
    tab.evaluate("location.hash = 'items'")
    if tab.locator("#clear").is_visible():
        tab.locator("#clear").click()
    tab.locator("#list").focus()
    tab.keyboard.press("Home")
    return tab


def open_page(chromium: Browser, path: Path, part: str = "#items") -> Iterator[Page]:
    """Open a page from the disk; fail if it asks the network or complains of anything."""
    tab = chromium.new_page(viewport={"width": 1200, "height": 800})
    asked: list[str] = []
    said: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(path.as_uri() + part)
    yield tab
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert said == []
    tab.close()


def count(tab: Page) -> int:
    return int(re.match(r"[\d,]+", tab.locator("#status").inner_text())[0].replace(",", ""))  # type: ignore[index]


def selected(tab: Page) -> str:
    return tab.locator(".moves .place").inner_text()


def press(tab: Page, flag: str) -> None:
    tab.locator(f"[data-flag={flag}]").click()


@pytest.fixture(scope="module")
def qa() -> pd.DataFrame:
    table = pd.read_csv(NQ301)
    votes = pd.DataFrame({"gpt_4": table["gpt_4"], "davinci": table["text_davinci_003"]})
    votes["bem"] = (table["bem"] >= 0.5).astype(float).where(table["bem"].notna())
    return votes.assign(human=table["human"], contains=table["contains"])


@pytest.fixture(scope="module")
def pairs() -> pd.DataFrame:
    """Return the recorded winners, a row a pair and judge, a column an order, NaN where no word."""
    table = pd.read_parquet(LLMBAR)
    table = table[table["prompt"] == "Metrics_Reference"].astype({"judge": str, "subset": str})
    words = {1: 1.0, 2: 0.0}
    table = table.assign(
        item_id=table["subset"] + "/" + table["item"].astype(str),
        won=pd.to_numeric(table["winner"], errors="coerce").map(words),
    )
    by = table.groupby(["item_id", "judge"])
    wide = table.pivot_table("won", ["item_id", "judge"], "order", dropna=False, observed=True)
    wide = wide.reindex(by.size().index)
    return wide.assign(human=by["human"].first().map(words), empty=by["won"].count() < by.size())


def test_the_headline_and_the_tables_are_there_without_a_script(chromium: Browser, recorded: Path):
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(recorded.as_uri())
    expect(tab.locator(".headline").filter(has_text="Best").first).to_have_text(
        re.compile(r"Best\s*jury trio, kappa 0\.689 \[0\.\d+, 0\.\d+\]; judge gpt_4, kappa")
    )
    expect(tab.get_by_role("heading", name="Tables")).to_be_visible()
    assert tab.locator("figure img").evaluate("image => image.naturalWidth") == 40
    context.close()


def test_all_items_can_be_browsed(opened: Page):
    assert count(opened) == 3524 + 885
    assert opened.locator(".row").count() < 60  # of all of them, what fits the screen


@pytest.mark.parametrize(
    ("voter", "flag"),
    [(None, "dissent"), (None, "failure"), (None, "against"), ("gpt_4", "dissent"),
     ("bem", "failure"), ("gpt_4", "against"), ("contains", "against"), ("trio", "failure")],
)  # fmt: skip
def test_filters_of_single_answers_count_what_pandas_counts(
    opened: Page, qa: pd.DataFrame, voter: str | None, flag: str
):
    opened.select_option("#dataset", "nq301")
    if voter:
        opened.select_option("#voter", voter)
    press(opened, flag)
    judges = qa[["gpt_4", "davinci", "bem"]]
    positive, negative = (judges == 1).sum(axis=1), (judges == 0).sum(axis=1)
    disputed = (positive > 0) & (negative > 0)
    jury = (positive >= 2).astype(float).where((positive >= 2) | (negative >= 2))
    against = judges.assign(jury=jury).apply(lambda votes: votes.notna() & (votes != qa["human"]))
    expected = {
        (None, "dissent"): disputed,
        (None, "failure"): judges.isna().any(axis=1),
        (None, "against"): against.any(axis=1),
        ("gpt_4", "dissent"): qa["gpt_4"].notna() & disputed,
        ("bem", "failure"): qa["bem"].isna(),
        ("gpt_4", "against"): against["gpt_4"],
        ("contains", "against"): qa["contains"] != qa["human"],
        ("trio", "failure"): jury.isna(),
    }[voter, flag]
    assert count(opened) == expected.sum()
    shown = opened.locator(f"[data-flag={flag}] .count").inner_text()
    assert int(shown.replace(",", "")) == expected.sum()


@pytest.mark.parametrize("voter", [None, "GPT-4", "Falcon"])
@pytest.mark.parametrize("flag", ["flip", "failure", "against", "dissent"])
def test_filters_of_pairs_count_what_pandas_counts(
    opened: Page, pairs: pd.DataFrame, voter: str | None, flag: str
):
    opened.select_option("#dataset", "llmbar")
    if voter:
        opened.select_option("#voter", voter)
    press(opened, flag)
    one, other = pairs["original"], pairs["swapped"]
    pooled = one.where(one == other)
    by_item = pooled.groupby("item_id")
    disputed = by_item.max() > by_item.min()
    by_judge = {
        "flip": one.notna() & other.notna() & (one != other),
        "failure": pairs["empty"],
        "against": pooled.notna() & (pooled != pairs["human"]),
        "dissent": pooled.notna() & disputed.reindex(pairs.index, level="item_id"),
    }[flag]
    rows = by_judge if voter is None else by_judge.xs(voter, level="judge")
    assert count(opened) == rows.groupby("item_id").any().sum()


def test_filters_add_up_and_are_cleared(opened: Page):
    press(opened, "flip")
    flips = count(opened)
    press(opened, "against")
    both = count(opened)
    assert 0 < both < flips
    expect(opened.locator("[data-flag=flip]")).to_have_attribute("aria-pressed", "true")
    opened.locator("#clear").click()
    assert count(opened) == 3524 + 885
    expect(opened.locator("#clear")).to_be_hidden()


def test_the_keyboard_moves_searches_and_leaves(opened: Page):
    assert selected(opened) == "1 of 4,409"
    for key, place in [("j", 2), ("ArrowDown", 3), ("k", 2), ("ArrowUp", 1), ("End", 4409)]:
        opened.keyboard.press(key)
        assert selected(opened) == f"{place:,} of 4,409"
    active = opened.locator("#list").get_attribute("aria-activedescendant")
    expect(opened.locator(f"#{active}")).to_have_attribute("aria-posinset", "4409")
    expect(opened.locator(f"#{active}")).to_have_attribute("aria-selected", "true")
    expect(opened.locator(f"#{active}")).to_be_in_viewport()
    opened.keyboard.press("/")
    expect(opened.locator("#search")).to_be_focused()
    opened.keyboard.type("gptinst/1")
    found = count(opened)
    assert 0 < found < 885
    opened.keyboard.press("Escape")
    expect(opened.locator("#list")).to_be_focused()
    opened.keyboard.press("Enter")
    expect(opened.locator("#detail")).to_be_focused()
    opened.keyboard.press("?")
    expect(opened.locator("#keys")).to_be_visible()
    opened.keyboard.press("Escape")
    expect(opened.locator("#keys")).to_be_hidden()


def test_the_selection_stays_with_its_item_when_filters_change(opened: Page):
    press(opened, "against")
    for _ in range(3):
        opened.keyboard.press("j")
    crumbs = opened.locator(".crumbs").inner_text()
    press(opened, "against")
    assert opened.locator(".crumbs").inner_text() == crumbs


def test_an_item_shows_every_vote_of_both_orders(opened: Page, pairs: pd.DataFrame):
    opened.select_option("#dataset", "llmbar")
    item_id = opened.locator(".crumbs span").nth(1).inner_text()
    for judge, row in pairs.loc[item_id].iterrows():
        entry = opened.locator(".verdicts > li").filter(
            has=opened.locator(".voter", has_text=re.compile(f"^{judge}$"))
        )
        for order in ("original", "swapped"):
            said = entry.locator(".order").filter(has_text=f"{order} order")
            if pd.notna(row[order]):
                winner = "A: first" if row[order] else "B: second"
                expect(said.locator(".badge")).to_have_text(winner)


def test_a_table_is_sorted_by_number(opened: Page):
    opened.locator("#to-results").click()
    opened.get_by_role("link", name="Agreement with humans", exact=True).click()  # unfolds it
    table = opened.locator(".table").filter(has=opened.locator("#table-agreement"))
    table = table.locator(".sortable")
    table.get_by_role("button", name="kappa", exact=True).click()
    head = table.locator("th[aria-sort]")
    expect(head).to_have_attribute("aria-sort", "descending")
    column = [h.inner_text().split(" ")[0] for h in table.locator("thead th").all()].index("kappa")
    cells = table.locator(f"tbody td:nth-child({column + 1})").all_inner_texts()
    assert [float(cell) for cell in cells] == sorted(map(float, cells), reverse=True)


@pytest.mark.parametrize(
    ("width", "scheme", "printed"),
    [(390, "light", False), (1200, "dark", False), (800, "light", True)],
)
def test_axe_finds_nothing_that_keeps_readers_out(
    chromium: Browser, recorded: Path, width: int, scheme: Any, printed: bool
):
    def found(tab: Page) -> list[str]:
        response = Axe().run(tab, options={"resultTypes": ["violations"]}).response
        assert len(response["passes"]) > 15
        return [
            f"{one['impact']}, {one['id']}: {one['nodes'][0]}" for one in response["violations"]
        ]

    tab = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab.goto(recorded.as_uri())
    tab.locator("details.table summary").first.click()
    if printed:
        tab.emulate_media(media="print")
    assert found(tab) == []
    if printed:
        return  # of the items, nothing is printed
    tab.goto(recorded.as_uri() + "#items")
    tab.locator(".row").first.click()
    assert found(tab) == []
    tab.close()


# Fonts differ from browser to browser: this one is wider and larger than any default.
WIDE_FONT = "* { font-family: monospace !important; } body { font-size: 20px !important; }"


@pytest.mark.parametrize("font", ["", WIDE_FONT], ids=["own_font", "wide_font"])
@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (390, "light"), (1200, "dark")])
def test_nothing_is_cut_off_sideways(
    chromium: Browser, recorded: Path, width: int, scheme: Any, font: str
):
    tab = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    for part in ("#results", "#items", "#items, one opened"):
        tab.goto(recorded.as_uri() + part.partition(",")[0])
        tab.evaluate(FORCE_STYLE, font)
        if "opened" in part:
            tab.locator(".row").first.click()
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, part
        assert tab.evaluate(CONTROLS_OUTSIDE, width) == [], part
    tab.close()


# The page's policy forbids style elements; a constructed sheet is not one.
FORCE_STYLE = """(css) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    document.adoptedStyleSheets = [sheet];
}"""
CONTROLS_OUTSIDE = """(width) => [...document.querySelectorAll("button, input, select, nav a")]
    .filter((one) => one.checkVisibility() && !one.closest(".scroll"))
    .filter((one) => one.getBoundingClientRect().right > width + 0.5)
    .map((one) => one.outerHTML)"""


def test_a_phone_shows_the_list_or_the_item(chromium: Browser, recorded: Path):
    tab = chromium.new_page(viewport={"width": 390, "height": 800})
    tab.goto(recorded.as_uri() + "#items")
    expect(tab.locator("#detail")).to_be_hidden()
    tab.locator(".row").nth(2).click()
    expect(tab.locator("#list")).to_be_hidden()
    expect(tab.locator("#detail h2")).to_be_visible()
    tab.get_by_role("button", name="List").click()
    expect(tab.locator("#list")).to_be_visible()
    tab.close()


def test_every_control_has_a_name_and_is_reached_by_tab(opened: Page):
    reached = []
    opened.locator("#to-results").focus()
    for _ in range(14):
        opened.keyboard.press("Tab")
        reached.append(
            opened.evaluate("document.activeElement.id || document.activeElement.dataset.flag")
        )
    wanted = ["to-items", "search", "dataset", "voter", "outcome", "dissent", "flip", "failure"]
    assert [one for one in reached if one in wanted] == wanted
    unnamed = """() => [...document.querySelectorAll("button, input, select, [role=listbox]")]
        .filter((one) => one.checkVisibility())
        .filter((one) => !(one.textContent.trim() || one.ariaLabel || one.labels?.length))
        .map((one) => one.outerHTML)"""
    assert opened.evaluate(unnamed) == []


def test_hostile_texts_are_shown_as_text(chromium: Browser, tmp_path: Path):
    path = written([study_of(made_up(HOSTILE, "</script><b>name"))], tmp_path)
    for tab in open_page(chromium, path):
        assert tab.title() == "Juries and judges against humans"
        assert tab.locator("#items img, #items script, #results b").count() == 0
        for number, text in enumerate(HOSTILE):
            if number:
                tab.keyboard.press("j")
            for place in ("#detail h2", "#detail .reference", "#detail .text"):
                assert tab.locator(place).evaluate("e => e.textContent") == text
            replies = tab.locator("pre").evaluate_all("all => all.map(e => e.textContent)")
            assert text in replies
        tab.locator("#search").fill("onerror=")
        assert count(tab) == 1


def test_no_less_than_sign_is_left_in_the_data(tmp_path: Path):
    figure = tmp_path / "kappa.png"
    figure.write_bytes(b"")
    drawn = Drawn([figure], ['<script>"quoted"'])
    html = written([study_of(made_up(HOSTILE))], tmp_path, drawn).read_text(encoding="utf-8")
    assert 'alt="&lt;script&gt;&#34;quoted&#34;"' in html
    (data,) = re.findall(r'<script type="application/json" id="data">([^<]*)</script>', html)
    assert json.loads(data)["datasets"][0]["name"] == "made_up"
    assert html.count("<script") == 2
    assert "unsafe-inline" not in html


def test_free_text_finds_questions_answers_and_replies_in_any_case(
    chromium: Browser, tmp_path: Path
):
    words = tuple(f"text {n} {'Ångström' if n % 3 else 'other'}" for n in range(50))
    for tab in open_page(chromium, written([study_of(made_up(words))], tmp_path)):
        tab.locator("#search").fill("ÅNGSTRÖM")
        assert count(tab) == sum("Ångström" in text for text in words)
        tab.locator("#search").fill("nowhere to be found")
        assert count(tab) == 0
        expect(tab.locator("#detail")).to_have_text("No item matches these filters.")


def test_what_is_left_out_is_said_and_drawn_by_the_seed(chromium: Browser, tmp_path: Path):
    dataset = made_up(tuple(f"text {n}" for n in range(200)))
    with Store(tmp_path / "store") as store:
        results = measured([study_of(dataset)], store)
        few, said = browsable(results, store, page.Options(items=20))
        again, _ = browsable(results, store, page.Options(items=20))
        more, _ = browsable(results, store, page.Options(items=50))
        other, _ = browsable(results, store, page.Options(items=20, seed=1))
        every, nothing = browsable(results, store, page.Options())
        path = tmp_path / "report.html"
        page.write(results, store, path, options=page.Options(items=20))
    assert "20 of 200 items are in this file" in said
    assert "seed 0, up to 20 items" in said
    assert nothing == ""
    assert few == again
    assert names(few) != names(other)
    assert names(few) < names(more) < names(every)
    assert len(names(few)) == 20
    for tab in open_page(chromium, path):
        assert count(tab) == 20
        expect(tab.locator("#left-out")).to_have_text(said)


def names(data: dict[str, Any]) -> set[str]:
    return {data["strings"][at] for part in data["datasets"] for at in part["item_id"]}


def test_the_text_is_capped_and_long_texts_are_cut(tmp_path: Path):
    dataset = made_up(tuple(f"{n:03} " + "x" * 5000 for n in range(100)))
    with Store(tmp_path / "store") as store:
        results = measured([study_of(dataset)], store)
        few, said = browsable(results, store, page.Options(megabytes=0.1, characters=1000))
    # Question, answer, reference and a reply are a thousand characters each, and a note.
    assert 15 < len(names(few)) < 25
    assert "up to 0.1 MB of text" in said
    texts = [few["strings"][at] for at in few["datasets"][0]["answer"]]
    assert all(text.endswith("x … (4,004 more characters cut here)") for text in texts)


def test_a_missing_vote_is_null_and_never_a_number(tmp_path: Path):
    dataset = made_up(("true", "prose", "false"))
    silent = replace(dataset.recordings[1], judge="silent", cells={})
    dataset = replace(dataset, recordings=(*dataset.recordings, silent))
    with Store(tmp_path / "store") as store:
        results = measured([study_of(dataset, [Jury("two", ("ever", "prose"))])], store)
        data, _ = browsable(results, store, page.Options())
    voters = {voter["name"]: voter for voter in data["datasets"][0]["voters"]}
    assert voters["prose"]["label"] == [1.0, None, 0.0]
    assert voters["prose"]["outcome"] == ["ok", "unparsed", "ok"]
    assert voters["silent"]["orders"][0]["outcome"] == ["not_asked"] * 3
    assert voters["two"]["label"] == [1.0, None, None]
    assert voters["two"]["outcome"] == ["ok", "no_quorum", "tie"]


def test_half_a_surrogate_pair_is_replaced():
    assert Strings(longest=10).fit("a\ud800b") == "a?b"


def test_limits_that_hold_nothing_are_a_mistake():
    with pytest.raises(JuriesError, match="items: 0 must be above 0"):
        page.Options(items=0)


def test_an_analysis_writes_its_page_and_says_where(run_script: Run, tmp_path: Path):
    done = run_script(
        "analyze",
        "judge=[contains]",
        "dataset.limit=3",
        "analysis.bootstrap.resamples=20",
        "page.items=8",
        "figures.draw=none",
    )
    assert done.returncode == 0, done.stderr
    path = tmp_path / "out" / "report.html"
    assert f"page:    {path}" in done.stdout
    assert "8 of 12 items are in this file" in path.read_text(encoding="utf-8")
    done = run_script("analyze", "judge=[contains]", "page.itms=8")
    assert "page.itms: no such key; did you mean items" in done.stderr.replace(" (", "; ")


def test_a_graded_vote_is_on_its_side_of_the_scale(chromium: Browser, tmp_path: Path):
    items = tuple(Item("graded", f"q{n}", "c", f"Q{n}", f"A{n}", human="1") for n in range(5))
    prompt = Prompt("grades", "{{ answer }}", {str(n): float(n) for n in range(1, 6)})
    study = Study(Dataset("graded", items), (Plan(Grader(), Dataset("graded", items), prompt),), ())
    path = tmp_path / "report.html"
    with Store(tmp_path / "store") as store:
        results = measured([study], store, Analysis(Settings(threshold=4)))
        data, _ = browsable(results, store, page.Options())
        page.write(results, store, path)
        unlabelled = replace(study.dataset, items=tuple(replace(i, human=None) for i in items))
        plans = tuple(replace(plan, dataset=unlabelled) for plan in study.plans)
        graded = measured([replace(study, dataset=unlabelled, plans=plans)], store)
        shares, _ = browsable(graded, store, page.Options())
    (voter,) = data["datasets"][0]["voters"]
    assert voter["orders"][0]["label"] == voter["label"] == [0, 0, 0, 1, 1]
    (voter,) = shares["datasets"][0]["voters"]
    assert voter["orders"][0]["label"] == voter["label"] == [0.0, 0.25, 0.5, 0.75, 1.0]
    words = {"0": "1", "0.25": "2", "0.5": "3", "0.75": "4", "1": "5"}
    assert shares["datasets"][0]["scale"] == {"values": words, "low": 1, "high": 5}
    for tab in open_page(chromium, path):
        press(tab, "against")
        assert count(tab) == 3  # grades 1 to 3


class Grader(PromptedJudge):
    """A judge that gives the answers A0 to A4 the grades 1 to 5."""

    name, family, kind, free, note, price = "grader", "none", "judge", False, "", None
    limits = Limits()
    decoding = Decoding()
    fingerprint = {"backend": "grader"}  # noqa: RUF012

    async def ready(self) -> None:
        """Do nothing."""

    async def open(self) -> None:
        """Do nothing."""

    async def ask(self, requests: Any) -> list[Reply]:
        """Grade by the number in the answer."""
        return [Reply(str(int(request.item.answer[1:]) + 1)) for request in requests]

    async def close(self) -> None:
        """Do nothing."""
