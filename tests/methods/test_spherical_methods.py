"""SLERP and its relatives against geometry."""

from __future__ import annotations

import numpy as np
import pytest

from bot.errors import PlanError
from tests.methods.cases import family, run


def angle(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(float).reshape(-1), b.astype(float).reshape(-1)
    found: float = np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))
    return found


def on_sphere(seed: int, count: int, size: int = 200, radius: float = 3.0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(count, size)) + 1
    points *= radius / np.linalg.norm(points, axis=1, keepdims=True)
    return [point.astype(np.float32) for point in points]


def test_half_way_between_orthogonal_units_is_at_45_degrees() -> None:
    a, b = np.eye(2, dtype=np.float32)
    assert np.allclose(run("slerp", a, [b], {"t": 0.5}), 0.5**0.5)


@pytest.mark.parametrize("scale", [0.01, 2.0])
def test_slerp_ends_exactly_at_its_ends(scale: float) -> None:
    a, (b,) = family(1, (7, 8), 1, scale=scale)
    assert np.array_equal(run("slerp", a, [b], {"t": 0.0}), a)
    assert np.array_equal(run("slerp", a, [b], {"t": 1.0}), b)


@pytest.mark.parametrize("t", [0.1, 0.5, 0.8])
def test_slerp_keeps_the_norm_and_turns_at_constant_speed(t: float) -> None:
    a, b = on_sphere(2, 2)
    out = run("slerp", a, [b], {"t": t})
    assert np.linalg.norm(out) == pytest.approx(3.0, rel=1e-5)
    assert angle(a, out) == pytest.approx(t * angle(a, b), rel=1e-4)
    assert np.allclose(out, run("slerp", b, [a], {"t": 1 - t}), atol=1e-6)


def test_slerp_of_opposite_or_equal_ends_is_linear() -> None:
    (a,) = on_sphere(3, 1)
    assert np.allclose(run("slerp", a, [-a], {"t": 0.25}), 0.5 * a, atol=1e-6)
    assert np.allclose(run("slerp", a, [a], {"t": 0.25}), a, atol=1e-6)


@pytest.mark.parametrize("tol", [0, 1e-11])
def test_karcher_of_opposite_directions_is_the_first_of_them(tol: float) -> None:
    (a,) = on_sphere(3, 1)
    assert np.allclose(run("karcher", None, [a, -a], {"tol": tol}), a, atol=1e-6)


def test_nuslerp_without_a_base_is_slerp() -> None:
    a, b = on_sphere(4, 2)
    out = run("nuslerp", None, [a, b], {"weight": (0.6, 0.2)})
    assert np.allclose(out, run("slerp", a, [b], {"t": 0.25}), atol=1e-6)


def test_nuslerp_rows_and_columns_are_slerps_of_their_vectors() -> None:
    _, (a, b) = family(5, (6, 30), 2, scale=2.0)
    given = {"weight": (0.5, 0.5), "nuslerp_flatten": False}
    rows = run("nuslerp", None, [a, b], given)
    columns = run("nuslerp", None, [a, b], given | {"nuslerp_row_wise": True})
    for number in range(6):
        expected = run("slerp", a[number], [b[number]], {"t": 0.5})
        assert np.allclose(rows[number], expected, atol=1e-5)
    for number in range(30):
        expected = run("slerp", a[:, number], [b[:, number]], {"t": 0.5})
        assert np.allclose(columns[:, number], expected, atol=1e-5)


def test_nuslerp_of_a_matrix_with_equal_rows_needs_no_rows() -> None:
    a, b = (np.tile(vector, (4, 1)) for vector in on_sphere(6, 2))
    given = {"weight": (0.7, 0.3)}
    rows = run("nuslerp", None, [a, b], given | {"nuslerp_flatten": False})
    assert np.allclose(rows, run("nuslerp", None, [a, b], given), atol=1e-6)


def test_multislerp_is_the_normalised_mean_direction_times_the_mean_norm() -> None:
    points = on_sphere(7, 3)
    weight = (0.5, 0.2, 0.3)
    mean = sum(w * p.astype(float) / 3 for w, p in zip(weight, points, strict=True))
    out = run("multislerp", None, points, {"weight": weight})
    assert np.allclose(out, 3 * mean / np.linalg.norm(mean), atol=1e-6)


def test_multislerp_with_a_log_map_is_slerp_for_two() -> None:
    a, b = on_sphere(8, 2)
    given = {"weight": (0.7, 0.3)}
    expected = run("slerp", a, [b], {"t": 0.3})
    near = run("multislerp", None, [a, b], given | {"log_map": True})
    assert np.allclose(near, expected, atol=1e-5)
    plain = run("multislerp", None, [a, b], given)
    assert np.abs(plain - expected).max() > 10 * np.abs(near - expected).max()


def test_multislerp_of_directions_that_cancel_is_an_error() -> None:
    a, b, c = (np.array(v, np.float32) for v in ([1, 0], [-0.5, 3**0.5 / 2], [-0.5, -(3**0.5) / 2]))
    with pytest.raises(PlanError, match="cancel"):
        run("multislerp", None, [a, b, c], {"weight": (1.0, 1.0, 1.0), "eps": 1e-6})


def test_karcher_of_two_is_the_middle_of_their_arc() -> None:
    a, b = on_sphere(9, 2)
    assert np.allclose(run("karcher", None, [a, b]), run("slerp", a, [b], {"t": 0.5}), atol=1e-5)


def test_at_the_karcher_mean_the_tangents_cancel() -> None:
    points = on_sphere(10, 5)
    out = run("karcher", None, points, {"max_iter": 100, "tol": 1e-12}).astype(float)
    u = out / np.linalg.norm(out)
    tangents = []
    for point in points:
        v = point.astype(float) / np.linalg.norm(point)
        phi = np.arccos(u @ v)
        tangents.append(phi / np.sin(phi) * (v - np.cos(phi) * u))
    assert np.linalg.norm(np.mean(tangents, axis=0)) < 1e-6
    assert np.linalg.norm(out) == pytest.approx(3.0, rel=1e-6)


def test_karcher_turns_with_a_rotation() -> None:
    points = on_sphere(11, 3, size=12)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(12, 12)))[0].astype(np.float32)
    turned = run("karcher", None, [rotation @ point for point in points])
    assert np.allclose(turned, rotation @ run("karcher", None, points), atol=1e-5)


def test_karcher_of_numbers_is_a_number() -> None:
    """Numbers lie on one line, so that every direction is the mean's own or opposite to it."""
    rng = np.random.default_rng(8)
    for _ in range(200):
        numbers = [np.asarray(value) for value in rng.normal(size=3).astype(np.float32)]
        expected = np.mean(np.abs(numbers))
        assert abs(run("karcher", None, numbers)) == pytest.approx(expected, rel=1e-6)
