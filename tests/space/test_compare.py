from __future__ import annotations

import pytest

from leaderboard.render.comparison_page import compare_markdown
from space_app.compare_html import compare_page
from space_app.live_board import LiveBoard, Snapshot
from space_app.model_comparison import compare, suggestions, turned
from space_app.space_settings import no_samples
from tests.leaderboard.markup import accessibility_faults, parse
from tests.leaderboard.samples import record_of
from tests.present import present
from tests.space.boards import MemoryStore, records, samples
from tests.space.covering import covers


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return LiveBoard(MemoryStore(records())).current


@covers("CP2", "CP6")
def test_swapping_negates_every_number(snapshot: Snapshot) -> None:
    there = compare(snapshot, samples, ["good", "plain"]).pairs[0]
    back = compare(snapshot, samples, ["plain", "good"]).pairs[0]
    for one, other in zip(
        present(there.comparison).tasks, present(back.comparison).tasks, strict=True
    ):
        assert one.delta == -other.delta
        assert (present(one.discordant).b, present(one.discordant).c) == (
            present(other.discordant).c,
            present(other.discordant).b,
        )
        assert (
            there.flips[one.task].gained == back.flips[one.task].lost == present(one.discordant).b
        )
    assert present(there.comparison).overall.delta == -present(back.comparison).overall.delta


@covers("CP2")
def test_without_samples_a_record_serves_both_ways_round(snapshot: Snapshot) -> None:
    there = compare(snapshot, no_samples, ["base", "good"]).pairs[0].comparison
    back = compare(snapshot, no_samples, ["good", "base"]).pairs[0].comparison
    assert back == turned(present(there), "digest-good")
    assert back.overall.delta == -present(there).overall.delta
    assert (back.overall.low, back.overall.high) == (
        -present(there).overall.high,
        -present(there).overall.low,
    )
    assert back.tasks[0].p_greater == present(there).tasks[0].p_less
    assert back.noninferiority.p == 1.0


@covers("CP3")
def test_models_of_other_suites_get_words_and_no_number(snapshot: Snapshot) -> None:
    other = record_of("elsewhere")
    suite = other.suites[0].model_copy(update={"digest": "sha-9", "version": "9"})
    later = {"suites": (suite,), "created": "2026-01-01T00:00:00Z"}
    store = MemoryStore([*records(), other.model_copy(update=later)])
    mixed = LiveBoard(store).current
    compared = compare(mixed, samples, ["good", "elsewhere"])
    assert compared.pairs[0].comparison is None
    assert "elsewhere was scored on skills 9, the board ranks skills 1" in (
        present(compared.pairs[0].refusal)
    )
    assert "not comparable" in compare_page(mixed, compared)


@covers("CP5")
@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["good", "plain", "bad", "base", "sort-ft"], "two to 4 models, not 5"),
        (["good", "good"], "with itself"),
        (["good"], "two to 4 models, not 1"),
        (["good", "nobody"], "nobody"),
    ],
)
def test_other_choices_are_refused_with_words(
    snapshot: Snapshot, words: list[str], refusal: str
) -> None:
    compared = compare(snapshot, samples, words)
    assert refusal in present(compared.refusal)
    assert refusal in compare_page(snapshot, compared)


@covers("CP4")
def test_the_markdown_is_the_table(snapshot: Snapshot) -> None:
    compared = compare(snapshot, samples, ["base", "good", "plain"])
    page = parse(compare_page(snapshot, compared))
    text = next(node.attributes["data-copy"] for node in page.all() if "data-copy" in
                node.attributes)  # fmt: skip
    assert text == compare_markdown(compared.pairs, snapshot.board)
    table = next(node for node in page.all("table"))
    cells = [cell.words.split(" ±")[0] for row in table.all("tr")[1:] for cell in row.all("td")]
    for cell in cells:
        assert cell in text


def test_the_page_is_accessible_and_an_empty_one_offers_pairs(snapshot: Snapshot) -> None:
    whole = compare_page(snapshot, compare(snapshot, samples, ["base", "good"]))
    assert accessibility_faults(whole) == []
    empty = compare_page(snapshot, None)
    assert accessibility_faults(empty) == []
    assert empty.count("?tab=compare") == 2
    assert all(second.kind == "merge" for _, second in suggestions(snapshot.board))
