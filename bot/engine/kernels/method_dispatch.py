"""Which methods have a kernel, and how their arguments become the kernel's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np

from bot.engine.kernels.arcee_fusion_calls import taking_over
from bot.engine.kernels.nearswap_calls import nearswap
from bot.engine.kernels.ram_calls import ram, ram_plus
from bot.engine.kernels.sce_calls import selecting
from bot.engine.kernels.scratch import marks, tiles
from bot.engine.kernels.sparsify_args import sparsify_args
from bot.engine.kernels.stored_grain import Bits, Combine, StoredGrain, shift_of
from bot.engine.kernels.tall_masks_calls import consensus_ta, tall_masks
from bot.engine.kernels.task_vector_kernel import ELECT, ELECT_MEAN, SUM, WORK_ROWS, task_vectors
from bot.engine.kernels.weighted_sum import toward_mean, weighted_sum
from bot.methods.core.method_input import Block
from bot.methods.core.reduction import Stat
from bot.methods.della import mag_prune
from bot.methods.karcher import towards_all
from bot.methods.model_stock import mean_cosine, ratio
from bot.methods.multislerp import around
from bot.methods.nuslerp import way
from bot.methods.operators.random_drop import Drop
from bot.methods.operators.sparsify import Band, Trim
from bot.methods.operators.sphere_geometry import arcs
from bot.methods.operators.weight_sums import added, cancels, total
from bot.methods.slerp import SLERP_COLLINEAR

Stats = Mapping[str, Stat]
Maker = Callable[[SimpleNamespace, Stats], Combine | None]


def combiner(method: str, arguments: SimpleNamespace, stats: Stats) -> Combine | None:
    """The kernel for a call of the method; None when the plain definition must do."""
    maker = _MAKERS.get(method)
    return maker(arguments, stats) if maker else None


def _combination(coefficients: tuple[float, ...], divisor: float = 1.0) -> Combine:
    shares, by = np.array(coefficients, np.float32), np.float32(divisor)

    def combine(grain: StoredGrain, out: Bits) -> bool:
        return bool(weighted_sum(grain.bits, grain.shift, shares, by, out, shift_of(out), tiles(1)))

    return combine


def _linear(p: SimpleNamespace, _stats: Stats) -> Combine:
    return _combination(p.weight, total(p.weight) if p.normalize else 1.0)


def _slerp(p: SimpleNamespace, stats: Stats) -> Combine:
    first, second = arcs(stats["products"], p.t, straight=SLERP_COLLINEAR)
    return _combination((float(first), float(second)))


def _nuslerp(p: SimpleNamespace, stats: Stats) -> Combine | None:
    if stats["whole"] is None:
        return None
    first, second = arcs(stats["whole"], way(p.weight))
    return _around_the_base((float(first), float(second)))


def _multislerp(p: SimpleNamespace, stats: Stats) -> Combine | None:
    if len(p.weight) == 1:
        return None
    sum_ = total(p.weight) if p.normalize_weights else 1.0
    shares = [weight / sum_ for weight in p.weight]
    return _around_the_base(around(stats["products"], shares, p.eps, log_map=p.log_map))


def _around_the_base(coefficients: tuple[float, ...]) -> Combine | None:
    """A combination of deltas where there is a base, else of models."""
    deltas = SimpleNamespace(weight=coefficients, normalize=False, lambda_=1.0)
    models, moves = _combination(coefficients), _task(deltas, None, None, elect=False)
    return moves and (
        lambda grain, out: moves(grain, out) if grain.has_base else models(grain, out)
    )


def _karcher(p: SimpleNamespace, stats: Stats) -> Combine | None:
    shares = towards_all(stats["products"], p.max_iter, p.tol)
    return None if shares is None else _combination(shares)


def _passthrough(p: SimpleNamespace, _stats: Stats) -> Combine:
    return _combination((p.scale[0],))


def _model_stock(_p: SimpleNamespace, stats: Stats) -> Combine | None:
    products = stats["products"]
    if products is None:
        return None
    share = float(ratio(mean_cosine(products), len(products)))
    toward, stay = np.float32(share), np.float32(1 - share)

    def combine(grain: StoredGrain, out: Bits) -> bool:
        return bool(
            toward_mean(grain.bits, grain.shift, toward, stay, out, shift_of(out), tiles(1))
        )

    return combine


def _task(
    p: SimpleNamespace, sparsify: Callable[[Block], Any] | None, scale: Any, *, elect: bool
) -> Combine | None:
    arguments_of = sparsify_args(sparsify)
    if arguments_of is None:
        return None
    weight = np.array(p.weight, np.float32)
    scales = np.array([1.0] * len(p.weight) if scale is None else scale, np.float32)
    mode = (ELECT_MEAN if p.normalize else ELECT) if elect else SUM
    divided = p.normalize and not elect and not cancels(p.weight)
    divisor = np.float32(added(p.weight) if divided else 1.0)
    lambda_ = np.float32(p.lambda_)

    def combine(grain: StoredGrain, out: Bits) -> bool:
        sparse = arguments_of(grain)
        return bool(
            task_vectors(
                grain.bits, grain.shift, sparse.ends, sparse.bands, sparse.dropped, scales, weight,
                mode, divisor, lambda_, out, shift_of(out), tiles(len(weight) + WORK_ROWS),
                marks(),
            )
        )  # fmt: skip

    return combine


def _task_arithmetic(p: SimpleNamespace, _stats: Stats) -> Combine | None:
    return _task(p, None, None, elect=False)


def _ties(p: SimpleNamespace, stats: Stats) -> Combine | None:
    kth = stats["kth"]
    return _task(p, None if kth is None else Trim(kth), stats["scale"], elect=True)


def _breadcrumbs(*, elect: bool) -> Maker:
    def make(p: SimpleNamespace, stats: Stats) -> Combine | None:
        band = stats["band"]
        return _task(p, None if band is None else Band(band), stats["scale"], elect=elect)

    return make


def _dare(*, elect: bool) -> Maker:
    def make(p: SimpleNamespace, stats: Stats) -> Combine | None:
        if p.rescale == "expectation":
            return None
        return _task(p, Drop(p.density), stats["scale"], elect=elect)

    return make


def _della(*, elect: bool) -> Maker:
    def make(p: SimpleNamespace, stats: Stats) -> Combine | None:
        if p.rescale == "expectation":
            return None
        return _task(p, mag_prune(p.density, p.epsilon), stats["scale"], elect=elect)

    return make


_MAKERS: Mapping[str, Maker] = MappingProxyType(
    {
        "linear": _linear,
        "slerp": _slerp,
        "passthrough": _passthrough,
        "model_stock": _model_stock,
        "nuslerp": _nuslerp,
        "multislerp": _multislerp,
        "karcher": _karcher,
        "nearswap": nearswap,
        "ram": ram,
        "ramplus_tl": ram_plus,
        "ramplus": ram_plus,
        "consensus_ta": consensus_ta,
        "tall_masks": tall_masks,
        "task_arithmetic": _task_arithmetic,
        "ties": _ties,
        "breadcrumbs": _breadcrumbs(elect=False),
        "breadcrumbs_ties": _breadcrumbs(elect=True),
        "dare_linear": _dare(elect=False),
        "dare_ties": _dare(elect=True),
        "della_linear": _della(elect=False),
        "della": _della(elect=True),
        "arcee_fusion": lambda _, stats: taking_over(stats["quartiles"]),
        "sce": lambda _, stats: selecting(stats["selection"]),
    }
)
