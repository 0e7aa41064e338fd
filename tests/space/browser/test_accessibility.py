"""axe-core over every tab, in both themes; injected faults show that it would notice."""

from __future__ import annotations

import subprocess

import pytest
from playwright.sync_api import Page

from leaderboard.render.board_json import model_id
from tests.chromium import OpenPage
from tests.present import present
from tests.space.conftest import AXE, AXE_CACHE
from tests.space.covering import covers
from tests.space.serving import Served

pytestmark = pytest.mark.browser

VERSION = "axe-core@4.14.1"
ROOTS = {
    "board": "#board",
    "model": "#model-page",
    "compare": "#compare-page",
    "chat": "#chat-status",
    "submit": "#recipe-check",
}
UNLABEL = """
  document.querySelector('label[for=mb-search]').remove();
  document.querySelector('#mb-search').removeAttribute('placeholder');
"""
CHAT_ROOTS = ["#chat-status", "#chat-examples", "#chat-message", "#chat-mode", "#chat-send"]


@pytest.fixture(scope="session")
def axe() -> str:
    """The script, fetched once into the user's cache by npm; nothing of it is kept here."""
    if not AXE.exists():
        AXE_CACHE.mkdir(parents=True, exist_ok=True)
        quiet = ["--no-save", "--no-audit", "--no-fund", "--prefix", str(AXE_CACHE)]
        subprocess.run(["npm", "install", *quiet, VERSION], check=True, timeout=1000)
    return AXE.read_text("utf-8")


def faults(page: Page, axe: str, roots: list[str]) -> list[str]:
    """Serious and critical violations of WCAG 2.2 A and AA inside our own parts."""
    page.evaluate(axe)
    found = page.evaluate(
        """roots => axe.run(
          { include: roots.filter((root) => document.querySelector(root)).map((root) => [root]) },
          { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] })""",
        roots,
    )
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


def addresses(space: Served) -> dict[str, str]:
    rows = space.context.live.current
    good, base = (model_id(present(rows.find(name)).key) for name in ("good", "base"))
    return {
        "board": "", "model": f"?model={good}", "compare": f"?tab=compare&m={base}&m={good}",
        "chat": "?tab=chat", "submit": "?tab=submit",
    }  # fmt: skip


@covers("LB11")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("tab", ROOTS)
def test_no_tab_has_serious_faults(
    small: Served, open_page: OpenPage, axe: str, tab: str, dark: bool
) -> None:
    page = open_page(small.url + addresses(small)[tab], dark=dark)
    page.wait_for_selector(ROOTS[tab] + " >> visible=true")
    page.wait_for_timeout(300)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    roots = CHAT_ROOTS if tab == "chat" else [ROOTS[tab]]
    assert faults(page, axe, roots) == []


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (UNLABEL, "label"),
        ("document.querySelector('.mb-lead').style.color = '#ccc'", "color-contrast"),
        ("document.querySelector('#mb-table tbody a').replaceChildren()", "link-name"),
        ("document.querySelector('[data-action=link]').replaceChildren()", "button-name"),
    ],
)  # fmt: skip
def test_injected_faults_are_noticed(
    small: Served, open_page: OpenPage, axe: str, fault: str, rule: str
) -> None:
    page = open_page(small.url)
    page.wait_for_selector("#mb-table tbody tr")
    page.wait_for_timeout(500)
    page.evaluate(fault)
    assert any(one.startswith(rule) for one in faults(page, axe, ["#board"]))


def test_an_unescaped_name_would_be_noticed(small: Served, open_page: OpenPage) -> None:
    """The hostile board's check has teeth: the same name written raw does run."""
    page = open_page(small.url)
    page.wait_for_selector("#mb-table tbody tr")
    assert page.evaluate("window.hacked") is None
    page.evaluate("name => { document.querySelector('.mb-lead').innerHTML = name; }", small.hostile)
    page.wait_for_function("window.hacked === 1")
