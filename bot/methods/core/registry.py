"""The one door for merge methods: a decorator that reads the function and leaves it as it is.

A method takes a ``Block`` and keyword-only parameters, whose annotations are its schema: ``float``
is global, ``PerModel[float]`` one value per model, ``Literal[...]`` a choice, ``Annotated[...,
Range(...), Doc(...)]`` adds bounds and a line of help. A name in ``stats`` receives the finished
statistic. A trailing underscore is dropped in recipes (``lambda_``).
"""

from __future__ import annotations

import inspect
import keyword
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType, SimpleNamespace, UnionType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from bot.errors import PlanError, Problem
from bot.methods.core.method_input import Array, Unit
from bot.methods.core.reduction import Reduction, Stat
from bot.recipe.method_signature import BaseRule, Parameter, ParameterKind, Signature

T = TypeVar("T")
Check = Callable[[SimpleNamespace], object]
"""Given all resolved parameters of a tensor: raises PlanError when they cannot go together."""
MethodFunction = Callable[..., Array]
StatMaker = Callable[[SimpleNamespace], Reduction[Any] | None]
"""Given all resolved parameters: the reduction to run, or None where no statistic is needed."""
F = TypeVar("F", bound=MethodFunction)
Exactness = Literal["any host", "host class"]


class PerModel(tuple[T, ...]):
    """A parameter with one value per model, in recipe order."""

    __slots__ = ()


def each(value: T) -> PerModel[T]:
    """The default of a per-model parameter: this value for every model."""
    return PerModel((value,))


@dataclass(frozen=True)
class Range:
    """Bounds of a number, both included unless said otherwise."""

    minimum: float | None = None
    maximum: float | None = None
    minimum_excluded: bool = False
    maximum_excluded: bool = False


@dataclass(frozen=True)
class Doc:
    """One line about a parameter, for help, documentation and cards."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Method:
    """A registered method: the function, what it needs, and what a recipe may say about it."""

    signature: Signature
    function: MethodFunction
    unit: Unit
    stats: Mapping[str, StatMaker]
    check: Check | None
    exact: Exactness
    symmetric: bool

    @property
    def name(self) -> str:
        """mergekit's name where mergekit has the method."""
        return self.signature.name

    def arguments(self, parameters: Mapping[str, Any], models: int) -> SimpleNamespace:
        """The function's keyword arguments for these recipe parameters, statistics left out.

        Defaults are filled in, a per-model parameter becomes a tuple of ``models`` values.
        """
        found: dict[str, Any] = {}
        for param in self.signature.parameters:
            value = parameters.get(param.name, param.default)
            if param.scope == "per_model" and not isinstance(value, tuple):
                value = (value,) * models
            found[self.keywords[param.name]] = value
        return SimpleNamespace(**found)

    def problems(self, arguments: SimpleNamespace) -> Sequence[Problem]:
        """What is wrong with these values together, though each lies in its range."""
        try:
            if self.check:
                self.check(arguments)
        except PlanError as error:
            return error.problems()
        return ()

    def reductions(self, arguments: SimpleNamespace) -> dict[str, Reduction[Any] | None]:
        """The statistics this call needs, by keyword; None is passed on as None."""
        return {name: maker(arguments) for name, maker in self.stats.items()}

    @cached_property
    def keywords(self) -> Mapping[str, str]:
        """Recipe name -> the function's keyword (``lambda`` -> ``lambda_``)."""
        names = (param.name for param in self.signature.parameters)
        return {name: name + "_" if keyword.iskeyword(name) else name for name in names}


_METHODS: dict[str, Method] = {}


def merge_method(
    name: str,
    *,
    title: str,
    paper: str | None = None,
    unit: Unit = Unit.GRAIN,
    base: BaseRule = "none",
    models: tuple[int, int | None] = (1, None),
    stats: Mapping[str, StatMaker] | None = None,
    check: Check | None = None,
    stochastic: bool = False,
    exact: Exactness = "any host",
    symmetric: bool = False,
    into: dict[str, Method] = _METHODS,
) -> Callable[[F], F]:
    """Register a function as a merge method and return it unchanged.

    Args:
        name: what recipes write.
        title: what people read.
        paper: where the method comes from.
        unit: what the function must see at once.
        base: whether a base model is required, allowed, or takes no part.
        models: least and greatest number of models that are not the base.
        stats: statistic name -> maker of its reduction (see ``StatMaker``).
        check: what planning asks about resolved parameters (see ``Check``).
        stochastic: whether it draws random masks.
        exact: "any host" for elementwise float32 arithmetic, else exact per class of machine.
        symmetric: whether the order of models is irrelevant.
        into: the registry; the project's own unless said otherwise.

    Raises:
        ValueError: the name is taken.
    """

    def register(function: F) -> F:
        if name in into:
            raise ValueError(f"two merge methods are called {name!r}")
        makers = dict(stats or {})
        known = Signature(
            name=name, title=title, base=base, paper=paper, stochastic=stochastic,
            minimum_models=models[0], maximum_models=models[1],
            parameters=tuple(_parameters(function, makers)), summary=_summary(function),
        )  # fmt: skip
        into[name] = Method(
            signature=known,
            function=function,
            unit=unit,
            stats=MappingProxyType(makers),
            check=check,
            exact=exact,
            symmetric=symmetric,
        )
        return function

    return register


def registered() -> Mapping[str, Method]:
    """What has been registered so far; ``bot.methods.core.all_methods`` imports every method."""
    return MappingProxyType(_METHODS)


def _summary(function: MethodFunction) -> str:
    return (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")


def _parameters(function: MethodFunction, stats: Mapping[str, Any]) -> typing.Iterator[Parameter]:
    hints = typing.get_type_hints(function, include_extras=True)
    for param in inspect.signature(function).parameters.values():
        if param.kind is inspect.Parameter.KEYWORD_ONLY and param.name not in stats:
            yield _parameter(param, hints[param.name])


def _parameter(param: inspect.Parameter, hint: Any) -> Parameter:
    extras: list[Any] = []
    scope: Literal["global", "per_model"] = "global"
    while True:
        if get_origin(hint) is Annotated:
            hint, *found = get_args(hint)
            extras += found
        elif get_origin(hint) is PerModel:
            scope = "per_model"
            (hint,) = get_args(hint)
        elif get_origin(hint) in (typing.Union, UnionType):
            (hint,) = (part for part in get_args(hint) if part is not type(None))
        else:
            break
    bounds = next((extra for extra in extras if isinstance(extra, Range)), Range())
    doc = next((extra.text for extra in extras if isinstance(extra, Doc)), "")
    required = param.default is inspect.Parameter.empty
    return Parameter(
        name=param.name.rstrip("_"),
        kind=_kind(hint),
        scope=scope,
        required=required,
        default=None if required else _default(param.default),
        minimum=bounds.minimum,
        maximum=bounds.maximum,
        minimum_excluded=bounds.minimum_excluded,
        maximum_excluded=bounds.maximum_excluded,
        choices=tuple(get_args(hint)) if get_origin(hint) is Literal else (),
        description=doc,
    )


def _default(value: Any) -> Any:
    return value[0] if isinstance(value, PerModel) else value


def _kind(hint: Any) -> ParameterKind:
    if get_origin(hint) is Literal:
        return "choice"
    kinds: dict[Any, ParameterKind] = {float: "float", int: "int", bool: "bool"}
    return kinds[hint]


__all__ = ["Doc", "Method", "PerModel", "Range", "Stat", "each", "merge_method", "registered"]
