"""Texts that try to hide something, or to make the reader work."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import RecipeError
from bot.recipe.load_recipe import load_recipe
from bot.recipe.untrusted_text import MAXIMUM_BYTES
from tests.recipe.support import SIGNATURES, marked, only, place, problems

pytestmark = pytest.mark.timeout(30)  # a reader that hangs must fail, not wait
GOOD = "merge_method: linear\nmodels: [{model: a/b, parameters: {weight: 1}}]\n"

REFUSED = {
    "anchor": ("dtype: →&x float32\n", "anchor `&x`"),
    "alias": ("dtype: →*x\n", "alias `*x`"),
    "tag": ("seed: →!!int '7'\n", "tag"),
    "python tag": ("name: →!!python/object/apply:os.system [ls]\n", "tag"),
    "local tag": ("name: →!evil x\n", "tag `!evil`"),
    "merge key": ("→<<: {seed: 1}\n", "merge key"),
    "duplicate key": ("→models: []\n", "`models` is written twice (first in line 2)"),
    "duplicate by quotes": ("→'models': []\n", "written twice"),
    "second document": ("→---\nmerge_method: linear\n", "one document"),
    "list as key": ("? →[a]\n: 1\n", "a key must be a word"),
    "tab": ("parameters:\n→\tnormalize: true\n", "not valid YAML"),
    "unclosed": ("tags: [a\n→", "not valid YAML"),
    "bidi override": ("name: a→\u202eb\n", "U+202E RIGHT-TO-LEFT OVERRIDE"),
    "zero width": ("name: a→\u200bb\n", "U+200B ZERO WIDTH SPACE"),
    "byte order mark inside": ("name: a→\ufeffb\n", "U+FEFF"),
    "escape": ("name: a→\x1b[31m\n", "U+001B"),
    "nul": ("name: a→\x00b\n", "U+0000"),
    "line separator": ("name: a→\u2028b\n", "U+2028"),
    "lone carriage return": ("name: a→\rb: c\n", "U+000D"),
    "next line": ("name: a→\x85b\n", "U+0085"),
    "escaped bidi": ('name: →"a\\u202Eb"\n', "hidden character U+202E"),
    "escaped nul": ('name: →"a\\0b"\n', "hidden character U+0000"),
    "not composed": ("name: →e\u0301\n", "NFC"),
    "escaped not composed": ('name: →"e\\u0301"\n', "NFC"),
    "deep": ("tags: " + "[" * 11 + "→[" + "]" * 12 + "\n", "nested more than 12"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_its_place(name: str) -> None:
    written, message = REFUSED[name]
    before, after = written.split("→")
    text = GOOD + before + after
    whole = GOOD + before
    found = problems(text.encode())
    expected = (whole.count("\n") + 1, len(whole.rsplit("\n", 1)[-1]) + 1)
    assert (*expected, True) in [(*place(p), message in p.message) for p in found], found
    assert all(problem.hint for problem in found if "valid YAML" not in problem.message)


def test_all_refusals_of_one_file_are_told_together() -> None:
    found = problems(GOOD + "dtype: &x float32\nout_dtype: *x\nseed: !!int 3\nseed: 4\nwat: 1\n")
    assert [problem.line for problem in found] == [3, 4, 5, 6, 7]


def test_alias_bomb_is_not_expanded() -> None:
    rows = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]" for i in range(1, 9)]
    assert problems("\n".join(rows))


def test_node_limit() -> None:
    problem = problems(GOOD + "tags: [" + "a," * 2100 + "]\n")[0]
    assert "2000 keys and values" in problem.message


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 60_000,
        b"{" * 60_000,
        b"- " * 30_000,
        b"? " * 30_000,
        b"'" * 60_000,
        b'"\\' * 30_000,
        b"a: " * 20_000,
        b"&a " * 20_000,
        b"!a " * 20_000,
        b"%YAML 1.1\n" * 6_000,
        b"---\n" * 15_000,
        b"#\n" * 30_000,
        b"x" * 65_536,
        b"1" * 65_536,
        b"seed: " + b"9" * 60_000,
        b"\n".join(b"k%d: v" % i for i in range(6_000)),
        b"models: |\n" + b"  x\n" * 16_000,
        ("name: " + "\u202e" * 20_000).encode(),
    ],
    ids=lambda data: repr(data[:6]),
)
def test_large_nonsense_is_refused(data: bytes) -> None:
    found = problems(data)
    assert found
    assert len(found) < 60


def test_too_large() -> None:
    problem = only(GOOD.encode() + b"#" * MAXIMUM_BYTES)
    assert "65,536" in problem.message


def test_not_utf8_says_where() -> None:
    problem = only(GOOD.encode() + b"name: caf\xe9\n")
    assert "0xe9 is not UTF-8" in problem.message
    assert place(problem) == (3, 10)


def test_leading_byte_order_mark_and_windows_line_ends_are_fine() -> None:
    assert not problems(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())


def test_visible_text_of_any_language_is_fine() -> None:
    assert not problems(GOOD + "description: Größe, 模型, модель, नमूना, 🚀\n")


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# only a comment\n", "---\n", "~", "just text", "- a"]
)
def test_documents_without_a_mapping(text: str) -> None:
    assert "a recipe is a mapping" in only(text).message


def test_marked_helper_counts_from_one() -> None:
    assert marked("a: →b") == ("a: b", (1, 4))


class TestFiles:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError, match="cannot read the recipe: No such file"):
            load_recipe(tmp_path / "none.yaml", SIGNATURES)

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError, match="cannot read the recipe"):
            load_recipe(tmp_path, SIGNATURES)

    def test_impossible_name(self) -> None:
        with pytest.raises(RecipeError, match="cannot read the recipe"):
            load_recipe(Path("a\0b"), SIGNATURES)

    def test_huge_file_is_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "big.yaml"
        with path.open("wb") as stream:
            stream.truncate(1 << 30)
        with pytest.raises(RecipeError, match="1,073,741,824 bytes"):
            load_recipe(path, SIGNATURES)

    def test_good(self, tmp_path: Path) -> None:
        path = tmp_path / "good.yaml"
        path.write_text(GOOD)
        assert load_recipe(path, SIGNATURES).file == str(path)
