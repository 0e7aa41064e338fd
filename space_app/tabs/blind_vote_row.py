"""The row of blind votes: buttons, the reveal, and the deletion of one's votes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

import gradio as gr

from leaderboard.board import Row
from leaderboard.render.board_json import model_id
from leaderboard.render.escape import html
from space_app.app_context import Context
from space_app.board_pages import address_of
from space_app.votes.account_age import OLD_ENOUGH, uncounted
from space_app.votes.vote_database import Choice
from space_app.votes.vote_rounds import Outcome, Voter, VoteRound
from space_app.votes.vote_tally import tally_words

CHOICES: tuple[tuple[Choice, str, str], ...] = (
    ("left", "A is better (1)", "1"),
    ("right", "B is better (2)", "2"),
    ("tie", "Tie (0)", "0"),
    ("both bad", "Both bad (9)", "9"),
)
LOADED = "mergebot.focusHeading(element, watch); mergebot.voteKeys();"
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


class BlindRow(NamedTuple):
    """The components of a blind round; ``eligibility`` says whether a vote will count."""

    row: Any
    eligibility: Any
    votes: Any
    buttons: tuple[Any, ...]
    skip: Any
    share: Any
    delete: Any
    reveal: Any
    token: Any


def blind_row(context: Context) -> BlindRow:
    """Lay the row out; hidden until the mode is chosen."""
    with gr.Column(visible=False, elem_id="blind") as row:
        eligibility = gr.HTML(
            eligibility_html(context, None), elem_id="blind-eligibility", apply_default_css=False
        )
        if context.settings.login:
            gr.LoginButton("Sign in with Hugging Face", size="sm")
        with gr.Row(visible=False, elem_id="blind-votes") as votes:
            buttons = tuple(
                gr.Button(label, elem_id=f"vote-{choice.replace(' ', '-')}")
                for choice, label, _ in CHOICES
            )
            skip = gr.Button("Skip", elem_id="vote-skip")
        share = gr.Checkbox(label="Share this conversation with my vote", value=False)
        reveal = gr.HTML("", elem_id="blind-reveal", apply_default_css=False, js_on_load=LOADED)
        delete = gr.Button("Delete my votes", size="sm", elem_id="vote-delete")
    return BlindRow(row, eligibility, votes, buttons, skip, share, delete, reveal, gr.State(None))


def wire_blind(context: Context, tab: Any) -> None:
    """A vote reveals the models; skipping starts afresh; votes can be deleted."""
    blind: BlindRow = tab.blind
    outputs = [blind.reveal, blind.votes, blind.token]
    for button, (choice, _, _) in zip(blind.buttons, CHOICES, strict=True):
        button.click(
            _voter(context, choice), [blind.token, blind.share, *tab.turns], outputs, **QUIET
        )
    emptied = [*tab.turns, *tab.panes]
    blind.skip.click(_skipper(context), blind.token, [*outputs, *emptied], **QUIET)

    def delete(request: gr.Request, profile: gr.OAuthProfile | None) -> str:
        visitor = context.visitors.identify(request, profile)
        count = context.voting.delete_votes(visitor.name, visitor.browser)
        return _words(f"{count} of your votes deleted." if count else "You have no votes here.")

    def eligibility(profile: gr.OAuthProfile | None) -> str:
        return eligibility_html(context, profile)

    blind.delete.click(delete, None, blind.reveal, **QUIET)
    tab.mode.change(eligibility, None, blind.eligibility, **QUIET)


def eligibility_html(context: Context, profile: Any) -> str:
    """Whether a vote will count, said before it is given."""
    why = uncounted(profile, context.settings.account_created, datetime.now(UTC))
    if why is None:
        return _words("Your votes count.")
    days = OLD_ENOUGH.days
    how = f"Votes of accounts older than {days} days count: sign in to vote."
    if not context.settings.login:
        how = "Nobody can sign in on this copy of the board, so votes here are never counted."
    if profile is not None:
        how = f"Votes of accounts older than {days} days count."
    return _words(f"Your votes will be kept but not counted: {why}. {how}")


def _voter(context: Context, choice: Choice) -> Any:
    def vote(
        token: str | None,
        share: bool,
        left: Any,
        right: Any,
        request: gr.Request,
        profile: gr.OAuthProfile | None,
    ) -> tuple[Any, ...]:
        visitor = context.visitors.identify(request, profile)
        why = uncounted(profile, context.settings.account_created, datetime.now(UTC))
        voter = Voter(visitor.name, why)
        shared = [list(left), list(right)] if share else None
        outcome = context.voting.vote(token or "", choice, voter, share=shared)
        if outcome.round is not None:
            context.chat_service.stop(str(request.session_hash))
        return _shown(context, outcome), gr.Row(visible=outcome.round is None), gr.skip()

    return vote


def _skipper(context: Context) -> Any:
    def skip(token: str | None, request: gr.Request) -> tuple[Any, ...]:
        context.chat_service.stop(str(request.session_hash))
        context.voting.close(token or "")
        words = "Skipped; nothing was counted. Write the next message."
        return _words(words), gr.Row(visible=False), None, (), (), [], []

    return skip


def _shown(context: Context, outcome: Outcome) -> str:
    if outcome.round is None:
        return _words(outcome.refusal or "")
    return reveal_html(context, outcome.round, outcome)


def reveal_html(context: Context, found: VoteRound, outcome: Outcome) -> str:
    """The names of both models, the tally of the pair, and whether this vote counts."""
    tally = context.voting.tally(found.left.key, found.right.key)
    words = tally_words(tally, found.left.name, found.right.name)
    note = outcome.refusal or (
        f"Your vote is kept but not counted: {outcome.uncounted}."
        if outcome.uncounted
        else "Your vote counts."
    )
    pair = f"?tab=compare&amp;m={model_id(found.left.key)}&amp;m={model_id(found.right.key)}"
    return (
        '<div class="mb mb-section"><h2 tabindex="-1">'
        f"A was {_link(found.left)}, B was {_link(found.right)}</h2>"
        f"<p>{html(words)} {html(note)}</p>"
        f'<p><a href="{pair}">Compare the two</a>. The next message starts a new round.</p></div>'
    )


def _link(row: Row) -> str:
    return f'<a href="{address_of(row)}">{html(row.name)}</a>'


def _words(text: str) -> str:
    return f'<p class="mb" role="status">{html(text)}</p>'
