"""One recipe per method over the synthetic checkpoints, in the grammar both tools read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

Values = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is merged, and how; ``each`` is said of every model, ``whole`` of the recipe.

    ``up_to`` and ``peer_up_to`` are the largest sizes that are timed: ours, the peer.
    """

    method: str
    label: str = ""
    base: str | None = "base"
    models: tuple[str, ...] = ("first", "second")
    each: Values = field(default_factory=dict)
    whole: Values = field(default_factory=dict)
    up_to: str = "3B"
    peer_up_to: str = "3B"

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.label or self.method

    @property
    def inputs(self) -> tuple[str, ...]:
        """The checkpoints the recipe reads."""
        return tuple(dict.fromkeys([*([self.base] if self.base else []), *self.models]))

    def recipe(self) -> dict[str, object]:
        """The recipe as YAML's data; paths are relative to the checkpoints' folder."""
        written: dict[str, object] = {"merge_method": self.method, "dtype": "bfloat16"}
        if self.base:
            written["base_model"] = f"./{self.base}"
        written["models"] = [
            {"model": f"./{name}", **({"parameters": dict(self.each)} if self.each else {})}
            for name in self.models
        ]
        if self.whole:
            written["parameters"] = dict(self.whole)
        return written

    def write(self, folder: Path) -> Path:
        """Put the recipe beside the checkpoints, so that its paths hold for both tools."""
        path = folder / f"{re.sub('[^a-z0-9_]+', '-', self.name)}.yaml"
        path.write_text(yaml.safe_dump(self.recipe(), sort_keys=False), "utf-8")
        return path


HALF: Values = {"weight": 0.5}
SPARSE: Values = {"weight": 0.5, "density": 0.5}
CRUMBS: Values = {"weight": 0.5, "density": 0.9, "gamma": 0.01}
RANKED: Values = {**SPARSE, "epsilon": 0.1}


# The peer takes minutes for many of these at 1.1B: there it is timed on one of each family only,
# unless a method is asked for by name.
_SHARED = (
    Case(method="passthrough", base=None, models=("first",)),
    Case(method="linear", base=None, each=HALF),
    Case(method="slerp", base="first", whole={"t": 0.5}),
    Case(method="task_arithmetic", each=HALF),
    Case(method="model_stock"),
    Case(method="dare_ties", each=SPARSE),
    Case(method="ties", each=SPARSE),
    Case(method="della", each=RANKED),
    Case(method="breadcrumbs_ties", each=CRUMBS),
    Case(method="nuslerp", base=None, each=HALF),
    Case(method="multislerp", each=HALF),
    Case(method="nearswap", base="first", whole={"t": 0.0001}),
    Case(method="arcee_fusion", base="first", peer_up_to="100M"),
    Case(method="karcher", base=None, peer_up_to="100M"),
    Case(method="sce", whole={"select_topk": 0.5}, peer_up_to="100M"),
    Case(method="ram", peer_up_to="100M"),
    Case(method="ramplus_tl", peer_up_to="100M"),
    Case(method="dare_linear", each=SPARSE, peer_up_to="100M"),
    Case(method="breadcrumbs", each=CRUMBS, peer_up_to="100M"),
    Case(method="della_linear", each=RANKED, peer_up_to="100M"),
)
_ALONE = (
    Case(method="ties", label="ties, scope model", each=SPARSE, whole={"scope": "model"}),
    Case(method="ramplus"),
    Case(method="consensus_ta", each=HALF),
    Case(method="tall_masks", each=HALF, whole={"task": 1}),
)
_SPECTRAL = (
    Case(method="tsv_m", each=HALF, up_to="100M"),
    Case(method="iso_c", each=HALF, up_to="100M"),
    Case(method="wudi", each=HALF, up_to="100M"),
    Case(method="knots", each=SPARSE, up_to="100M"),
)
SHARED: Mapping[str, Case] = {case.name: case for case in _SHARED}
CASES: Mapping[str, Case] = {case.name: case for case in (*_SHARED, *_ALONE, *_SPECTRAL)}
