"""What a run publishes: weights, tokenizer, card, recipe, lock, record, comparison, scores."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote

from bot.checkpoint.file_digests import FileDigests
from bot.checkpoint.folder_source import FolderSource
from bot.checkpoint.manifest import MANIFEST_FILE, read_manifest
from bot.errors import EvaluationError, PublishError
from bot.evaluation.score_files import Evaluation, read_evaluation
from bot.evaluation.suite_catalog import suite as find_suite
from bot.events import silent
from bot.hub.client import Hub
from bot.hub.download import fetch
from bot.hub.file_list import FILE_LIST, dump_file_list, sha256_of
from bot.hub.repo_snapshot import take_snapshot
from bot.hub.upload import Upload
from bot.lineage.front_matter import Page
from bot.lineage.hub_benchmarks import EVAL_RESULTS_FILE, eval_results
from bot.lineage.model_card import render_card
from bot.pipeline.find_record import board_suite
from bot.pipeline.merge_recipe import RECIPE_FILE
from bot.pipeline.workspace import Workspace
from bot.recipe.recipe_lock import LOCK_FILE, read_lock
from leaderboard.hub_store import sample_file
from leaderboard.record import Record, dump_record
from leaderboard.record_results import SuiteResult
from leaderboard.render.lineage_svg import lineage_svg
from leaderboard.sample_scores import save_scores

DRAWING = "lineage.svg"
NOTICES = ("LICENSE*", "NOTICE*", "USE_POLICY*")


def page_of(hub: Hub, repo: str, record: Record, issues: str | None) -> Page:
    """The card's place on the Hub.

    Args:
        hub: the Hub.
        repo: ``org/name``.
        record: the run.
        issues: address of a GitHub repository whose issues take reports; without it they go to the
            model's own discussions.
    """
    title = quote(f"Report: {repo}")
    about = quote(f"Run {record.run_key}\n\nWhat is wrong with this model:\n")
    report = f"{hub.url(repo)}/discussions/new?title={title}&description={about}"
    if issues:
        report = (
            f"{issues.rstrip('/')}/issues/new?template=report-model.yml&title={title}"
            f"&model={quote(repo)}&run={record.run_key}"
        )
    return Page(repo=repo, url=hub.url(repo), drawing=DRAWING, report=report)


def bundle_of(record: Record, workspace: Workspace, hub: Hub, page: Page) -> Upload:
    """Everything that goes into the model's repository.

    Raises:
        PublishError: the weights are gone, or are not those that were checked and evaluated.
    """
    model = workspace.merge(record.merge_key) / "model"
    files: dict[str, Path | bytes] = dict(_model_files(model, record, workspace.digests()))
    plain = record.model_copy(update={"publication": None, "retraction": None})
    files["README.md"] = render_card(plain, page, required=board_suite(workspace)).encode()
    files["record.json"] = dump_record(plain).encode()
    comparison = [suite.model_dump(mode="json") for suite in record.suites]
    files["comparison.json"] = (json.dumps(comparison, indent=1, sort_keys=True) + "\n").encode()
    files[DRAWING] = lineage_svg(record.lineage, record.name, standalone=True).encode()
    official = eval_results(record, f"{page.url}/blob/main/record.json")
    if official is not None:
        files[EVAL_RESULTS_FILE] = official.encode()
    for suite, own in _own_scores(record, workspace):
        files[f"samples/{suite}.json"] = own
    files |= _notices(hub, model)
    files[FILE_LIST] = dump_file_list(
        {
            path: record.files[path].sha256 if path in record.files else sha256_of(content)
            for path, content in files.items()
        }
    )
    return Upload(name=record.name, run_key=record.run_key, merge_key=record.merge_key, files=files)


def samples_of(record: Record, workspace: Workspace) -> Mapping[str, bytes]:
    """Items of the merge and every parent, as parquet, for suites that allow it."""
    names = {parent.key: parent.name for parent in record.parents}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "scores.parquet"
        for suite, evaluation in _evaluations(record, workspace):
            name = names.get(evaluation.model_digest, record.name)
            save_scores(evaluation.task_scores, draft)
            path = sample_file(suite.suite, name, evaluation.model_digest)
            found[path] = draft.read_bytes()
    return found


def _model_files(model: Path, record: Record, digests: FileDigests) -> Mapping[str, Path]:
    manifest = read_manifest(model) if model.is_dir() else None
    hint = "run the recipe again; everything that was evaluated is kept"
    if manifest is None:
        raise PublishError(f"the weights of {record.name} are not in {model} any more", hint=hint)
    if FolderSource(model, digests=digests).id != record.model_digest:
        raise PublishError(
            f"the weights in {model} are not those that were checked and evaluated", hint=hint
        )
    names = [*manifest.weights, *manifest.files, MANIFEST_FILE, LOCK_FILE, RECIPE_FILE]
    return {name: model / name for name in names}


def _own_scores(record: Record, workspace: Workspace) -> Iterator[tuple[str, bytes]]:
    for suite, evaluation in _evaluations(record, workspace):
        if evaluation.model_digest == record.model_digest:
            tasks = [scores.as_dict() for scores in evaluation.task_scores.values()]
            yield suite.suite, (json.dumps(tasks, sort_keys=True) + "\n").encode()


def _evaluations(record: Record, workspace: Workspace) -> Iterator[tuple[SuiteResult, Evaluation]]:
    """The kept evaluations a record's comparisons came from, where their suite may be shown."""
    suites = {suite.digest: suite for suite in record.suites}
    wanted = {record.model_digest, *(parent.key for parent in record.parents)}
    for manifest in sorted(workspace.evaluations.glob("*/evaluation.json")):
        evaluation = read_evaluation(manifest.parent)
        if evaluation is None or evaluation.model_digest not in wanted:
            continue
        suite = suites.get(evaluation.suite_digest)
        if suite and _same_settings(suite, evaluation) and _may_show(suite):
            yield suite, evaluation


def _may_show(suite: SuiteResult) -> bool:
    """Whether a suite's items may be published; older records do not say so themselves."""
    if suite.show_samples:
        return True
    try:
        found = find_suite(suite.suite)
    except EvaluationError:
        return False
    return found.digest == suite.digest and found.data.publish_samples


def _same_settings(suite: SuiteResult, evaluation: Evaluation) -> bool:
    names = ("backend", "dtype", "device", "batch_size", "max_length", "limit")
    return all(
        getattr(suite.settings, name) == getattr(evaluation.settings, name) for name in names
    )


def _notices(hub: Hub, model: Path) -> Mapping[str, Path]:
    """The parents' license texts and notices, which a derived model has to carry on."""
    found: dict[str, Path] = {}
    for parent in read_lock(model / LOCK_FILE).parents:
        names = [name for name in parent.files if any(fnmatchcase(name, one) for one in NOTICES)]
        if parent.kind != "hub" or not names:
            continue
        snapshot = take_snapshot(hub, parent.ref.path, parent.pin.partition("+")[0])
        folder = fetch(hub, snapshot, names, silent)
        below = f"licenses/{parent.ref.path.replace('/', '--')}"
        found |= {f"{below}/{name}": folder / name for name in names}
    return found
