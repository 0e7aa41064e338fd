"""Every deliberate difference from mergekit 0.1.5, shown by running both."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mergekit.merge_methods.api import merge_tensors
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from bot.errors import PlanError
from bot.methods.core.all_methods import catalogue, describe
from bot.methods.core.deviations import DEVIATIONS, EVERYWHERE, Deviation
from tests.methods.cases import bf16, family, run
from tests.parity.checkpoints import merge_both, write_siblings
from tests.parity.peer import theirs
from tests.tokens.made import CORPUS, bpe, write_llama

Demonstration = Callable[[], None]


def row(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


ZERO = row(0, 0, 0)
SHOWN: dict[str, Demonstration] = {}


def shows(name: str) -> Callable[[Demonstration], Demonstration]:
    def keep(demonstration: Demonstration) -> Demonstration:
        SHOWN[name] = demonstration
        return demonstration

    return keep


@shows("arithmetic in float32")
def low_precision() -> None:
    base, models = family(1, (50, 50), 4, scale=0.3, coarse=True)
    weight = (0.7, 0.3, 0.6, 0.4)
    tensors = [torch.from_numpy(array).bfloat16() for array in (base, *models)]
    given = {"weight": list(weight)}
    rough = merge_tensors(tensors, "task_arithmetic", parameters=given, base_index=0)
    moved = (w * (model.astype(float) - base) for w, model in zip(weight, models, strict=True))
    best = bf16((base + sum(moved)).astype(np.float32))
    ours = bf16(run("task_arithmetic", base, models, {"weight": weight}))
    assert np.mean(ours != best) < 0.01
    assert np.mean(rough.float().numpy() != best) > 0.1


@shows("ids of further tokens")
def order_of_tokens() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tokenizers = bpe(CORPUS, 40), bpe(["words that only this model knows"], 40)
        base, own = (tokenizer.get_vocab() for tokenizer in tokenizers)
        for seed, name in enumerate(("base", "a")):
            write_llama(root / name, tokenizers[seed], seed=seed)
        recipe = {
            "merge_method": "linear",
            "base_model": str(root / "base"),
            "models": [{"model": str(root / name)} for name in ("base", "a")],
            "parameters": {"weight": 1},
            "tokenizer_source": "union",
            "dtype": "float32",
        }
        both = merge_both(recipe, root)
        theirs_ = Tokenizer.from_file(str(root / "peer" / "tokenizer.json")).get_vocab()
        further = [token for token in sorted(own, key=own.__getitem__) if token not in base]
        name = "model.embed_tokens.weight"
        for place, token in enumerate(further, start=len(base)):
            assert np.allclose(both.ours[name][place], both.peer[name][theirs_[token]], atol=1e-6)


@shows("weights without a sum")
def no_sum() -> None:
    _, models = family(2, (2, 3), 2)
    for method in ("linear", "multislerp"):
        given = {"weight": (1.0, -1.0)}
        assert not np.isfinite(theirs(method, None, models, given)).any()
        with pytest.raises(PlanError, match="add up to zero"):
            run(method, None, models, given)


@shows("weights that nearly cancel")
def nearly_no_sum() -> None:
    methods = ("linear", "task_arithmetic", "breadcrumbs", "dare_linear", "della_linear")
    for method in methods:
        given = {"weight": (0.5, -0.499), "normalize": True}
        base = None if method == "linear" else ZERO
        ours, peer = (of(method, base, [row(1, 1, 1), ZERO], given) for of in (run, theirs))
        assert ours == pytest.approx(500, rel=1e-7)
        assert np.all(np.abs(peer - 500) > 0.005)
    pair = [row(1, 1, 1), row(2, 2, 2)]
    given = {"weight": (0.5, -0.499)}
    ours, peer = (of("multislerp", None, pair, given) for of in (run, theirs))
    assert ours == pytest.approx(-498, rel=1e-6)
    assert np.all(np.abs(peer + 498) > 0.005)


@shows("a base that is not listed")
def unlisted_base() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_siblings(root, coarse=False)
        for method in ("linear", "karcher"):
            recipe = {
                "merge_method": method,
                "base_model": str(root / "base"),
                "models": [{"model": str(root / name)} for name in "ab"],
                "parameters": {"weight": 1.0} if method == "linear" else {},
                "dtype": "float32",
            }
            both = merge_both(recipe, root)
            name = "model.layers.0.mlp.up_proj.weight"
            models = both.inputs[name][1]
            extra = load_file(root / "base" / "model.safetensors")[name]
            given = {"weight": (1.0,) * 3} if method == "linear" else {}
            assert len(models) == 2
            assert np.allclose(both.peer[name], run(method, None, [*models, extra], given))
            assert not np.allclose(both.peer[name], both.ours[name], atol=1e-3)


@shows("ties at the threshold")
def threshold() -> None:
    same = np.full((1, 4000), 0.5, np.float32)
    given = {"weight": (1.0,), "density": 0.25, "normalize": False}
    for method in ("ties", "breadcrumbs", "breadcrumbs_ties"):
        extra = {"gamma": 0.0} if method != "ties" else {}
        ours = run(method, 0 * same, [same], given | extra)
        assert np.array_equal(np.flatnonzero(ours), np.arange(1000))
        assert np.count_nonzero(theirs(method, 0 * same, [same], given | extra)) == 1000
    ours = run("sce", 0 * same, [same, -0.5 * same], {"select_topk": 0.25})
    assert np.array_equal(np.flatnonzero(ours), np.arange(1000))


@shows("restoring a very small norm")
def small_norm() -> None:
    delta = row(1, 0.5, 0) * 1e-9
    given = {"weight": (1.0,), "density": 0.5, "rescale": "true"}
    assert theirs("ties", ZERO, [delta], given).sum() == pytest.approx(1e-9)
    assert run("ties", ZERO, [delta], given).sum() == pytest.approx(1.5e-9)


@shows("masks")
def masks() -> None:
    base, models = family(4, (30, 30), 1)
    given = {"weight": (1.0,), "density": 0.5}
    for method in ("dare_linear", "dare_ties", "della", "della_linear"):
        first, second = (theirs(method, base, models, given) for _ in range(2))
        assert not np.array_equal(first, second)
        ours, again = (run(method, base, models, given, seed=3) for _ in range(2))
        assert np.array_equal(ours, again)


@shows("rows of one element")
def single_columns() -> None:
    column = np.ones((400, 1), np.float32)
    given = {"weight": (1.0,), "density": 0.5, "rescale": "false"}
    for method in ("della", "della_linear"):
        with pytest.raises(RuntimeError):
            theirs(method, 0 * column, [column], given)
        kept = run(method, 0 * column, [column], given).sum()
        assert 140 < kept < 260


@shows("rows of tensors with three axes")
def three_axes() -> None:
    rising = np.broadcast_to(np.linspace(0.1, 1, 50, dtype=np.float32), (200, 2, 50)).copy()
    given = {"weight": (1.0,), "density": 0.5, "epsilon": 0.4, "rescale": "false"}
    ours = (run("della", 0 * rising, [rising], given) != 0).mean((0, 1))
    peer = (theirs("della", 0 * rising, [rising], given) != 0).mean((0, 1))
    assert ours[-10:].mean() - ours[:10].mean() > 0.5
    assert abs(peer[-10:].mean() - peer[:10].mean()) < 0.2


@shows("vectors without length")
def no_angle() -> None:
    one = row(1, 1, 1)
    assert np.allclose(theirs("slerp", one, [ZERO], {"t": 0.5}), 2**-0.5)
    assert np.allclose(run("slerp", one, [ZERO], {"t": 0.5}), 0.5)
    given = {"weight": (0.5, 0.5)}
    assert np.allclose(theirs("nuslerp", None, [one, ZERO], given), 2**-0.5)
    assert np.allclose(run("nuslerp", None, [one, ZERO], given), 0.5)


@shows("nearly opposite vectors")
def opposite() -> None:
    rng = np.random.default_rng(0)
    end = rng.normal(size=300).astype(np.float32)
    other = (-1.3 * end + 1e-4 * rng.normal(size=300)).astype(np.float32)
    given = {"weight": (0.5, 0.5)}
    assert np.abs(theirs("nuslerp", None, [end, other], given)).max() > 1000
    assert np.abs(run("nuslerp", None, [end, other], given)).max() < 1


@shows("lengths in the denominator")
def short_directions() -> None:
    pair = [row(1, 0, 0), row(0, 1e-8, 0)]
    given = {"weight": (0.5, 0.5)}
    ours, peer = (of("multislerp", ZERO, pair, given) for of in (run, theirs))
    assert ours[0, 1] / ours[0, 0] == pytest.approx(1)
    assert peer[0, 1] / peer[0, 0] == pytest.approx(0.5)


@shows("nothing to average")
def no_directions() -> None:
    given = {"weight": (0.2, 0.3, 0.5)}
    with pytest.raises(ValueError, match="zero"):
        theirs("multislerp", ZERO, [ZERO] * 3, given)
    assert np.array_equal(run("multislerp", ZERO, [ZERO] * 3, given), ZERO)


@shows("short vectors")
def short() -> None:
    tiny = row(1, 0.5, 0) * 1e-6
    assert not theirs("karcher", None, [tiny, tiny], {}).any()
    assert np.allclose(run("karcher", None, [tiny, tiny]), tiny, rtol=1e-6, atol=0)


@shows("angles of close siblings")
def close_siblings() -> None:
    drifts = []
    for seed in range(4):
        _, models = family(seed, (300, 200), 2, scale=0.001)
        middle = np.mean([model.astype(float) for model in models], axis=0)
        merged = run("karcher", None, models), theirs("karcher", None, models, {})
        drifts.append([np.abs(one - middle).max() / np.abs(middle).max() for one in merged])
    ours, peer = np.max(drifts, axis=0)
    assert ours < 1e-6
    assert peer > 1e-4


@shows("ratio outside 0 to 1")
def disagreement() -> None:
    pair = [row(1, 0.5, 0), row(-1, 0.4, 0)]
    assert np.abs(theirs("model_stock", ZERO, pair, {})).max() > 1.5
    assert np.array_equal(run("model_stock", ZERO, pair), ZERO)


@shows("small task vectors")
def small_deltas() -> None:
    small = row(1, 0.5, 0) * 1e-4
    assert np.abs(theirs("model_stock", ZERO, [small, small], {})).max() < 5e-6
    assert np.allclose(run("model_stock", ZERO, [small, small]), small)
    assert np.allclose(theirs("sce", ZERO, [small, 2 * small], {}), 1.5 * small)
    assert np.allclose(run("sce", ZERO, [small, 2 * small]), 1.8 * small)


@shows("small shares")
def small_shares() -> None:
    pair = [row(1, 0, 0), row(0, 1e-4, 0)]
    assert theirs("sce", ZERO, pair, {})[0, 1] == pytest.approx(1e-6, rel=1e-3)
    assert run("sce", ZERO, pair)[0, 1] == pytest.approx(1e-4)


@shows("steps below 1e-6")
def small_steps() -> None:
    other = row(1e-7, 1e-6, 1)
    assert np.allclose(theirs("nearswap", ZERO, [other], {"t": 5e-7})[0, 0], 5e-8, atol=0)
    assert np.allclose(run("nearswap", ZERO, [other], {"t": 5e-7})[0, 0], 1e-7, atol=0)


@shows("quartiles of large tensors")
def sampled_quartiles() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=(1100, 1000)).astype(np.float32)
    other = (base + rng.normal(size=base.shape)).astype(np.float32)
    one, again = (theirs("arcee_fusion", base, [other], {}) for _ in range(2))
    assert not np.array_equal(one, again)
    first, second = (run("arcee_fusion", base, [other]) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("entry", DEVIATIONS, ids=lambda entry: entry.name)
def test_both_behave_as_the_table_says(entry: Deviation) -> None:
    SHOWN[entry.name]()


def test_the_table_and_the_demonstrations_are_one_list() -> None:
    assert sorted(SHOWN) == sorted(entry.name for entry in DEVIATIONS)
    named = {name for entry in DEVIATIONS for name in entry.methods}
    assert named <= set(catalogue()) | {EVERYWHERE}
    assert all(describe(name).deviations for name in catalogue())
