"""TSV-Merge, Iso-C, WUDI and KnOTS against linear algebra."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bot.errors import PlanError
from bot.methods.operators.task_matrices import naming
from tests.methods.cases import family, run
from tests.methods.oracles import elected, trim

SPECTRAL = ["tsv_m", "iso_c", "wudi", "knots"]
RNG = np.random.default_rng(0)


def tasks(
    *matrices: np.ndarray,
    name: str,
    tensor: str = "model.layers.0.mlp.up_proj.weight",
    **parameters: object,
) -> np.ndarray:
    """Merge task matrices from a base of zeros; float64."""
    models = [np.asarray(matrix, np.float32) for matrix in matrices]
    return run(name, 0 * models[0], models, parameters, tensor=tensor).astype(float)


def orthogonal_tasks(rank: int, size: int = 32, count: int = 2) -> list[np.ndarray]:
    """Tasks of some rank whose row and column spaces do not meet."""
    left, right = (np.linalg.qr(RNG.normal(size=(size, size)))[0] for _ in range(2))
    spans = [slice(rank * number, rank * (number + 1)) for number in range(count)]
    return [left[:, span] * RNG.uniform(1, 2, rank) @ right[:, span].T for span in spans]


@pytest.mark.parametrize("name", ["tsv_m", "wudi", "knots"])
def test_a_single_task_is_kept(name: str) -> None:
    (task,) = [RNG.normal(size=(12, 20))]
    assert np.allclose(tasks(task, name=name), task, atol=1e-5)


@pytest.mark.parametrize("rank", [8, 16])
@pytest.mark.parametrize("name", ["tsv_m", "wudi"])
def test_tasks_that_do_not_meet_are_added(name: str, rank: int) -> None:
    pair = orthogonal_tasks(rank)
    assert np.allclose(tasks(*pair, name=name), sum(pair), atol=1e-5)


def test_tsv_gives_slots_that_a_low_rank_task_leaves_to_the_others() -> None:
    low, high = orthogonal_tasks(4)[0], RNG.normal(size=(32, 32))
    left, values, right = np.linalg.svd(high)
    out = tasks(low, high, name="tsv_m")
    assert np.linalg.matrix_rank(out, tol=1e-4) == 32
    kept = (left[:, :28] * values[:28]) @ right[:28]
    assert np.linalg.norm(out - kept - low) < 0.5 * np.linalg.norm(kept)


def leading(task: np.ndarray, count: int) -> np.ndarray:
    """The part of a matrix with its largest singular values."""
    left, values, right = np.linalg.svd(task)
    found: np.ndarray = (left[:, :count] * values[:count]) @ right[:count]
    return found


@pytest.mark.parametrize("second", [1.0, 1 + 1e-15])
def test_tsv_of_equal_tasks_is_their_leading_part(second: float) -> None:
    task = RNG.normal(size=(12, 20)).astype(np.float32)
    out = tasks(task, task, name="tsv_m", weight=(1.0, second))
    assert np.allclose(out, leading(task.astype(float), 6), atol=1e-5)


def test_tsv_halves_the_directions_that_tasks_share_and_keeps_their_own() -> None:
    left, right = (np.linalg.qr(RNG.normal(size=(12, 3)))[0].T for _ in range(2))
    shared, one, two = (np.outer(u, v) for u, v in zip(left, right, strict=True))
    out = tasks(4 * shared + 2 * one, 3 * shared + 1 * two, name="tsv_m")
    assert np.allclose(out, 3.5 * shared + 2 * one + two, atol=1e-5)


def test_iso_c_makes_all_directions_equally_strong() -> None:
    pair = RNG.normal(size=(2, 10, 16))
    out = tasks(*pair, name="iso_c")
    values = np.linalg.svd(sum(pair), compute_uv=False)
    assert np.allclose(np.linalg.svd(out, compute_uv=False), values.mean(), rtol=1e-5)
    low = orthogonal_tasks(4)
    assert np.linalg.matrix_rank(tasks(*low, name="iso_c"), tol=1e-4) == 8


def test_wudi_is_where_the_gradient_of_its_loss_is_zero() -> None:
    three = RNG.normal(size=(3, 6, 9))
    out = tasks(*three, name="wudi")
    gradient = sum(2 * (out - t) @ t.T @ t / np.square(t).sum() for t in three)
    scale = sum(np.linalg.norm(t) for t in three)
    assert np.linalg.norm(gradient) < 1e-5 * scale


@pytest.mark.parametrize("shape", [(4, 30), (7, 9), (30, 4)])
def test_wudi_of_any_proportions_is_the_closed_form(shape: tuple[int, ...]) -> None:
    three = RNG.normal(size=(3, *shape))
    grams = [task.T @ task / np.square(task).sum() for task in three]
    pulled = sum(task @ gram for task, gram in zip(three, grams, strict=True))
    expected = pulled @ np.linalg.pinv(sum(grams), rcond=1e-10, hermitian=True)
    assert np.allclose(tasks(*three, name="wudi"), expected, atol=1e-5)


def test_wudi_of_a_very_wide_matrix_needs_no_square_of_its_width() -> None:
    pair = RNG.normal(size=(2, 3, 100_000))  # 80 GB squared
    assert np.allclose(tasks(*pair, name="wudi"), pair.sum(axis=0), atol=0.1)


def test_knots_with_plain_sums_is_task_arithmetic() -> None:
    base, models = family(1, (10, 14), 3)
    given = {"weight": (0.3, 1.0, -0.5), "lambda": 0.7}
    plain = run("task_arithmetic", base, models, given)
    aligned = run("knots", base, models, given | {"inner": "task_arithmetic"})
    assert np.allclose(aligned, plain, atol=1e-5)


def test_knots_is_ties_in_shared_directions() -> None:
    pair = RNG.normal(size=(2, 6, 10)).astype(np.float32).astype(float)
    left, values, right = np.linalg.svd(np.concatenate(pair, axis=1), full_matrices=False)
    aligned = [trim(part, 0.5) for part in np.split(values[:, None] * right, 2, axis=1)]
    expected = elected(np.zeros((6, 10)), aligned, (1.0, 1.0), normalize=True, lambda_=1.0)
    out = tasks(*pair, name="knots", density=0.5)
    assert np.allclose(out, left @ expected.value, atol=1e-5)


MEANS = ["tsv_m", "iso_c", "wudi"]


@pytest.mark.parametrize("name", MEANS)
@pytest.mark.parametrize("shape", [(30,), (1, 9), (9, 1), (2, 3, 4)])
def test_what_is_no_matrix_with_a_side_for_every_task_gets_the_mean(
    name: str, shape: tuple[int, ...]
) -> None:
    pair = [RNG.normal(size=shape) for _ in range(2)]
    assert np.allclose(tasks(*pair, name=name, tensor="w"), np.mean(pair, axis=0), atol=1e-6)


TABLES = [
    "model.embed_tokens.weight", "shared.weight", "transformer.wte.weight",
    "transformer.wpe.weight", "bert.embeddings.position_embeddings.weight",
    "model.decoder.embed_positions.weight", "vision_model.embeddings.position_embedding.weight",
    "lm_head.weight", "output.weight", "transformer.output_layer.weight",
]  # fmt: skip
PROJECTIONS = [
    "layers.0.attention.output.weight", "layers.0.mlp.embedding_proj.weight",
    "encoder.layer.0.output.dense.weight", "layers.0.mlp.output_layer.weight",
    "decoder.embed_tokens_proj.weight",
]  # fmt: skip


@pytest.mark.parametrize("name", MEANS)
def test_names_tell_tables_and_heads_from_projections(name: str) -> None:
    pair = [RNG.normal(size=(9, 12)) for _ in range(2)]
    mean = np.mean(pair, axis=0)
    for tensor in TABLES:
        assert np.allclose(tasks(*pair, name=name, tensor=tensor), mean, atol=1e-6), tensor
    for tensor in PROJECTIONS:
        assert not np.allclose(tasks(*pair, name=name, tensor=tensor), mean, atol=0.1), tensor


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", SPECTRAL)
def test_a_task_too_large_for_float32_is_no_quiet_base(name: str) -> None:
    base = RNG.normal(size=(6, 8))
    base = (2e38 * base / np.abs(base).max()).astype(np.float32)
    out = run(name, base, [-base, base], tensor="model.layers.0.mlp.up_proj.weight")
    assert not np.isfinite(out).all()


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_wudi_of_tasks_whose_squares_are_no_numbers() -> None:
    pair = [RNG.normal(size=(6, 8)) for _ in range(2)]
    plain = tasks(*pair, name="wudi")
    scaled: dict[str, Any] = {"weight": (1e-170, 1e-170), "lambda": 1e170}
    tiny = tasks(*pair, name="wudi", **scaled)
    assert np.allclose(tiny, plain, atol=1e-5)
    assert not np.isfinite(tasks(*pair, name="wudi", weight=(1e200, 1e200))).any()


def test_a_decomposition_that_fails_names_its_tensor() -> None:
    with pytest.raises(PlanError, match=r"layers\.3\.up"), naming("layers.3.up"):
        np.linalg.inv(np.zeros((3, 3)))


@pytest.mark.parametrize("name", SPECTRAL)
def test_lambda_scales_and_zero_tasks_are_harmless(name: str) -> None:
    pair = RNG.normal(size=(2, 8, 8))
    none: dict[str, Any] = {"lambda": 0.0}
    some: dict[str, Any] = {"lambda": 0.5}
    assert np.allclose(tasks(*pair, name=name, **none), 0)
    half = tasks(*pair, name=name, **some)
    assert np.allclose(half, 0.5 * tasks(*pair, name=name), atol=1e-6)
    assert np.allclose(tasks(0 * pair[0], 0 * pair[1], name=name), 0)
    assert np.isfinite(tasks(0 * pair[0], pair[1], name=name)).all()
