"""What licenses ask for: the ids of the Hub by family, their duties, notices and restrictions.

The tables are the documented reading this project acts on; they are no legal advice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from leaderboard.record import Record

_OPERATORS = re.compile(r"\s+(?:AND|OR|and|or|&|\|)\s+|\s*[,;]\s*")


class Family(StrEnum):
    """What a license asks of a derivative."""

    PERMISSIVE = "permissive"
    COPYLEFT = "copyleft"
    RAIL = "use-restricted (OpenRAIL)"
    COMMUNITY = "community license"
    NONCOMMERCIAL = "non-commercial"
    NO_DERIVATIVES = "no derivatives"
    CUSTOM = "custom terms"
    UNKNOWN = "unknown"


PERMISSIVE = (
    "cc0-1.0", "unlicense", "wtfpl", "pddl", "zlib", "isc", "mit", "bsd", "bsd-2-clause",
    "bsd-3-clause", "bsd-3-clause-clear", "postgresql", "ncsa", "bsl-1.0", "afl-3.0", "ecl-2.0",
    "ms-pl", "artistic-2.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "openmdw-1.0",
    "etalab-2.0", "odc-by", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "apache-2.0",
)  # fmt: skip
"""From fewest to most conditions: a merge of several takes the last of them."""

COPYLEFT = (
    "gpl", "gpl-2.0", "gpl-3.0", "agpl-3.0", "lgpl", "lgpl-2.1", "lgpl-3.0", "mpl-2.0", "eupl-1.1",
    "eupl-1.2", "osl-3.0", "epl-1.0", "epl-2.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "odbl",
    "cdla-sharing-1.0", "gfdl", "ofl-1.1",
)  # fmt: skip
RAIL = (
    "openrail", "openrail++", "creativeml-openrail-m", "bigscience-openrail-m",
    "bigcode-openrail-m", "bigscience-bloom-rail-1.0",
)  # fmt: skip
COMMUNITY = (
    "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "gemma", "lgpl-lr",
    "deepfloyd-if-license", "apple-amlr", "apple-ascl", "intel-research",
    "fair-noncommercial-research-license", "c-uda", "grok2-community", "h-research", "lppl-1.3c",
)  # fmt: skip
NONCOMMERCIAL = (
    "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0",
)  # fmt: skip
NO_DERIVATIVES = ("cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0")

STRONGER_COPYLEFT: Mapping[tuple[str, str], str] = {
    ("gpl-3.0", "agpl-3.0"): "agpl-3.0",
    ("lgpl-3.0", "gpl-3.0"): "gpl-3.0",
    ("lgpl-3.0", "agpl-3.0"): "agpl-3.0",
    ("lgpl-2.1", "gpl-2.0"): "gpl-2.0",
    ("lgpl-2.1", "gpl-3.0"): "gpl-3.0",
    ("mpl-2.0", "gpl-3.0"): "gpl-3.0",
    ("mpl-2.0", "agpl-3.0"): "agpl-3.0",
    ("mpl-2.0", "lgpl-3.0"): "lgpl-3.0",
    ("cc-by-sa-4.0", "gpl-3.0"): "gpl-3.0",
}
"""Pairs of which the second may govern a work that contains the first."""

FAMILY_NAMES = frozenset({"cc"})
"""Ids of the Hub that name a family whose members differ in what they allow: terms unknown."""

UNKNOWN_NAMES = frozenset(
    {
        "", "-", "?", "custom", "license", "n/a", "na", "none", "null", "other", "proprietary",
        "tba", "tbd", "undefined", "unknown", "unlicensed", "unspecified",
    }
)  # fmt: skip
"""Words that people write where they name no license."""

CLOSED_TO_OTHER_MODELS = frozenset({"llama2", "llama3", "grok2-community"})
"""Licenses that forbid improving models outside their own family with theirs."""

LLAMA = ("llama3", "llama3.1", "llama3.2", "llama3.3", "llama4")
LLAMA_DUTIES = (
    'start the model\'s name with "Llama"',
    'show "Built with Llama" on the page',
    "ship a copy of the license and its notice file",
    "keep the acceptable use policy",
)
RAIL_DUTIES = ("pass on the use restrictions to every user",)
DUTIES: Mapping[str, tuple[str, ...]] = {
    "llama2": ("ship the Llama 2 license and its notice", "keep the acceptable use policy"),
    **dict.fromkeys(LLAMA, LLAMA_DUTIES),
    **dict.fromkeys(RAIL, RAIL_DUTIES),
    "gemma": ("pass on the Gemma terms and prohibited use policy", "say that files were changed"),
    "apache-2.0": ("keep the parents' notices and say that files were changed",),
    "grok2-community": ('show "Powered by xAI" on the page', "ship a copy of the license"),
    "lppl-1.3c": ("say that files were changed and by whom",),
}

_META = "Copyright © Meta Platforms, Inc. All Rights Reserved."
ATTRIBUTIONS: Mapping[str, tuple[str, ...]] = {
    "llama2": (f"Llama 2 is licensed under the LLAMA 2 Community License, {_META}",),
    "llama3": (
        "Built with Meta Llama 3",
        f"Meta Llama 3 is licensed under the Meta Llama 3 Community License, {_META}",
    ),
    **{
        f"llama{version}": (
            "Built with Llama",
            f"Llama {version} is licensed under the Llama {version} Community License, {_META}",
        )
        for version in ("3.1", "3.2", "3.3", "4")
    },
    "gemma": ("Gemma is provided under and subject to the Gemma Terms of Use.",),
    "grok2-community": ("Powered by xAI",),
}
"""What a license asks to be shown on the page of every derived model, word for word."""

USE_RESTRICTIONS: Mapping[str, str] = {
    "llama2": "https://ai.meta.com/llama/use-policy",
    "llama3": "https://llama.meta.com/llama3/use-policy",
    "llama3.1": "https://llama.meta.com/llama3_1/use-policy",
    "llama3.2": "https://www.llama.com/llama3_2/use-policy",
    "llama3.3": "https://www.llama.com/llama3_3/use-policy",
    "llama4": "https://www.llama.com/llama4/use-policy",
    "gemma": "https://ai.google.dev/gemma/prohibited_use_policy",
    "openrail": "https://www.licenses.ai/ai-licenses",
    "openrail++": "https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/blob/main/"
    "LICENSE.md",
    "creativeml-openrail-m": "https://huggingface.co/spaces/CompVis/stable-diffusion-license",
    "bigscience-openrail-m": "https://www.licenses.ai/blog/2022/8/26/"
    "bigscience-open-rail-m-license",
    "bigcode-openrail-m": "https://huggingface.co/spaces/bigcode/bigcode-model-license-agreement",
    "bigscience-bloom-rail-1.0": "https://huggingface.co/spaces/bigscience/license",
}
"""Where the restrictions of use stand that every derived model has to pass on."""


def family(license: str | None) -> Family:
    """The family of a Hub license id; "other" is custom, None unknown."""
    table = {
        Family.PERMISSIVE: PERMISSIVE,
        Family.COPYLEFT: COPYLEFT,
        Family.RAIL: RAIL,
        Family.COMMUNITY: COMMUNITY,
        Family.NONCOMMERCIAL: NONCOMMERCIAL,
        Family.NO_DERIVATIVES: NO_DERIVATIVES,
        Family.CUSTOM: ("other",),
    }
    return next((kind for kind, ids in table.items() if license in ids), Family.UNKNOWN)


def licenses_of(record: Record) -> tuple[str, ...]:
    """Every license whose terms a merge carries: its own, its parents' and its ancestors'."""
    license = record.license
    own = [license.id, *license.derived_from] if license else []
    of_parents = [one for p in record.parents for one in split_expression(p.license or "")]
    return tuple(dict.fromkeys([*own, *of_parents]))


def split_expression(expression: str) -> tuple[str, ...]:
    """The ids of ``apache-2.0 AND mit``; of a choice (``OR``) all, whose terms can all be met."""
    parts = _OPERATORS.split(expression.strip(" ()"))
    return tuple(dict.fromkeys(part.strip(" ()").lower() for part in parts if part.strip(" ()")))


def duties_of(licenses: Iterable[str]) -> tuple[str, ...]:
    """What the publisher has to do under all of these licenses, each duty once."""
    return tuple(dict.fromkeys(duty for name in licenses for duty in DUTIES.get(name, ())))


def attributions_of(licenses: Iterable[str]) -> tuple[str, ...]:
    """What must be shown on the page under all of these licenses."""
    return tuple(dict.fromkeys(text for name in licenses for text in ATTRIBUTIONS.get(name, ())))


def use_restrictions_of(licenses: Iterable[str]) -> Mapping[str, str]:
    """License -> address of its restrictions of use, for those that have some."""
    return {name: USE_RESTRICTIONS[name] for name in licenses if name in USE_RESTRICTIONS}
