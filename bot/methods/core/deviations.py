"""Where a merge differs from mergekit 0.1.5 on purpose, and why.

The parity suite demonstrates every entry by running both.
"""

from __future__ import annotations

from dataclasses import dataclass

TRIMMED = ("ties", "breadcrumbs", "breadcrumbs_ties")
RESCALED = (*TRIMMED, "dare_linear", "dare_ties", "della", "della_linear")
EVERYWHERE = "*"


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One difference: a short name, the methods it concerns, and a sentence with its reason."""

    name: str
    methods: tuple[str, ...]
    text: str

    def concerns(self, method: str) -> bool:
        """Whether that method is meant."""
        return method in self.methods or EVERYWHERE in self.methods


DEVIATIONS = (
    Deviation(
        name="arithmetic in float32",
        methods=(EVERYWHERE,),
        text="`dtype: bfloat16` or `float16` names the dtype of the output; arithmetic is always "
        "in float32 with one rounding at the end. mergekit computes most methods in that dtype "
        "and rounds every intermediate result, so many elements miss the nearest value.",
    ),
    Deviation(
        name="ids of further tokens",
        methods=(EVERYWHERE,),
        text="In a union of vocabularies the tokens that the base lacks follow in the order of the "
        "models and of their ids. mergekit numbers them in the order of a set, which changes with "
        "Python's hash seed from run to run; each token's row is the same.",
    ),
    Deviation(
        name="weights without a sum",
        methods=("linear", "multislerp"),
        text="Weights that add up to zero cannot be normalised: an error. mergekit writes "
        "infinities or NaN.",
    ),
    Deviation(
        name="weights that nearly cancel",
        methods=(
            "linear",
            "multislerp",
            "task_arithmetic",
            "breadcrumbs",
            "dare_linear",
            "della_linear",
        ),
        text="Weights are added up in float64 as the recipe has them. mergekit rounds them to "
        "float32 first, so that 0.5 and -0.499 are divided by 0.00099999 and not by 0.001.",
    ),
    Deviation(
        name="a base that is not listed",
        methods=("linear", "karcher"),
        text="A `base_model` that is not among the models only gives config and tokenizer. "
        "mergekit averages it in as one more model.",
    ),
    Deviation(
        name="ties at the threshold",
        methods=(*TRIMMED, "sce"),
        text="Of equal magnitudes at the threshold the ones of lowest index are kept, exactly k. "
        "mergekit keeps as many, but which ones is left to an unstable sort.",
    ),
    Deviation(
        name="restoring a very small norm",
        methods=RESCALED,
        text="The L1 norm is restored whatever its size. mergekit leaves a task vector as it is "
        "when its norm is below 1e-7.",
    ),
    Deviation(
        name="masks",
        methods=("dare_linear", "dare_ties", "della", "della_linear"),
        text="Masks are a function of seed, tensor, model and element, the same in any order and "
        "on any device. mergekit draws from a global generator.",
    ),
    Deviation(
        name="rows of one element",
        methods=("della", "della_linear"),
        text="An element that is alone in its row is kept with probability density. mergekit stops "
        "with an error, since it divides by the row's width less one.",
    ),
    Deviation(
        name="rows of tensors with three axes",
        methods=("della", "della_linear"),
        text="A row is the last axis of any tensor. mergekit ranks along the second axis.",
    ),
    Deviation(
        name="vectors without length",
        methods=("slerp", "nuslerp"),
        text="Where one end is zero there is no angle, and interpolation is linear. mergekit "
        "counts the angle as 90 degrees, so half way to zero is 0.71 of the other end.",
    ),
    Deviation(
        name="nearly opposite vectors",
        methods=("nuslerp",),
        text="Below a cosine of -0.9995 interpolation is linear, as in slerp: the arc's plane is "
        "rounding noise there. mergekit returns values thousands of times the inputs' size.",
    ),
    Deviation(
        name="lengths in the denominator",
        methods=("multislerp",),
        text="Every direction has length one. mergekit adds `eps` to the lengths it divides by, so "
        "that a task vector hardly longer than `eps` counts for less than its weight.",
    ),
    Deviation(
        name="nothing to average",
        methods=("multislerp",),
        text="Where all task vectors are zero the merge is the base. mergekit stops with an error "
        "from three models on.",
    ),
    Deviation(
        name="short vectors",
        methods=("karcher",),
        text="Only vectors of length zero have no direction. mergekit drops those below `tol`, so "
        "that a small tensor becomes zero.",
    ),
    Deviation(
        name="angles of close siblings",
        methods=("karcher",),
        text="Angles are taken in float64. mergekit takes them from a float32 cosine, which cannot "
        "tell directions less than about 0.001 apart: it leaves some out, and the mean of close "
        "fine-tunes drifts by up to 0.0004 of its size.",
    ),
    Deviation(
        name="ratio outside 0 to 1",
        methods=("model_stock",),
        text="The ratio stays between the base and the mean of the fine-tunes, as in the paper. "
        "mergekit moves away from the mean where fine-tunes disagree, without bound as the mean "
        "cosine nears -1 / (n - 1).",
    ),
    Deviation(
        name="small task vectors",
        methods=("model_stock", "sce"),
        text="Cosines and energies are relative. mergekit's absolute floors of 1e-6 send Model "
        "Stock back to the base, and make SCE weigh all models alike, where deltas are small.",
    ),
    Deviation(
        name="small shares",
        methods=("sce",),
        text="The sum of what agrees is divided by its weights however small they are. mergekit "
        "divides by at least 1e-6.",
    ),
    Deviation(
        name="steps below 1e-6",
        methods=("nearswap",),
        text="`out = base + clip(delta, -t, t)` for every t. mergekit takes differences below 1e-6 "
        "for 1e-6, so with t below that it moves less than t.",
    ),
    Deviation(
        name="quartiles of large tensors",
        methods=("arcee_fusion",),
        text="Quartiles are exact. Above a million elements mergekit estimates them from a random "
        "sample, so that two runs differ.",
    ),
)
"""Every deliberate difference, in the order the documentation lists them."""


def deviations_of(method: str) -> tuple[str, ...]:
    """The sentences that concern a method."""
    return tuple(entry.text for entry in DEVIATIONS if entry.concerns(method))
