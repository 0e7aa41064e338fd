"""What a suite's YAML file may say; `bot.evaluation.suite_catalog` finds and reads them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

LM_EVAL_PREFIX = "lm_eval:"
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,95}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Dataset(_Strict):
    """A dataset on the Hub that a task reads; ``revision`` pins it where it is known."""

    repo: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")]
    config: str | None = None
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    gated: bool = False

    @property
    def folder(self) -> str:
        """Where a frozen copy lies inside a folder of frozen datasets."""
        return f"{self.repo.replace('/', '__')}/{self.config or 'default'}"


class Part(_Strict):
    """A frozen part of a task's items: those with the smallest sha256(salt + ":" + doc[key])."""

    key: str
    count: Annotated[int, Field(ge=1)]
    salt: str


class TaskSpec(_Strict):
    """One task of a suite and how its score is read.

    ``binary`` metrics are 0 or 1 on every item. ``lower_bound`` is the score of guessing.
    ``few_shot`` and ``max_gen_toks`` replace the task file's own values where given.
    ``few_shot_first`` takes the first examples of the few-shot split instead of lm-eval's draw,
    which depends on an item's position. ``cluster`` names the field of an item that several items
    share (a passage, a story). Tasks of one ``group`` count as one benchmark in the headline.
    ``sentence_splitter`` says that scoring needs NLTK's punkt_tab data.
    """

    name: Name
    file: str
    title: str
    metric: str
    binary: bool = True
    filter: str = "none"
    lower_bound: Annotated[float, Field(ge=0, lt=1)] = 0.0
    group: str | None = None
    few_shot: Annotated[int, Field(ge=0)] | None = None
    few_shot_first: bool = False
    max_gen_toks: Annotated[int, Field(ge=1)] | None = None
    cluster: str | None = None
    dataset: Dataset | None = None
    part: Part | None = None
    sentence_splitter: bool = False

    @property
    def shipped_with_lm_eval(self) -> bool:
        """Whether the task file is lm-eval's own."""
        return self.file.startswith(LM_EVAL_PREFIX)


class SuiteData(_Strict):
    """What a suite's YAML file says.

    ``threads`` fixes torch's threads on a CPU: one is fastest for tiny models, by far where other
    processes want the same cores. None leaves the choice to torch.
    ``apply_chat_template`` puts every prompt into the model's chat template, with few-shot examples
    as turns. ``chat_template`` names one template for all models (see
    `bot.evaluation.chat_templates`); the catalogue replaces the name by the template's text.
    ``without_template`` says whether a model without a template gets plain prompts or is refused.
    ``local`` marks a suite that is not packaged with mergebot.
    ``publish_samples`` says whether items may be shown: where not, their texts are not stored,
    and their scores are not published.
    """

    name: Name
    version: str
    title: str
    description: str
    split: Literal["report", "search", "test"] = "test"
    search_suite: Name | None = None
    lm_eval: str
    dtype: Literal["float32", "bfloat16", "float16"]
    batch_size: Annotated[int, Field(ge=1)]
    max_length: Annotated[int, Field(ge=2)]
    threads: Annotated[int, Field(ge=1)] | None = None
    apply_chat_template: bool = False
    chat_template: str | None = None
    without_template: Literal["plain", "refuse"] = "refuse"
    normalised: bool = False
    publish_samples: bool = True
    example_prompts: tuple[str, ...] = ()
    local: bool = False
    tasks: Annotated[tuple[TaskSpec, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _task_names_differ(self) -> Self:
        names = [task.name for task in self.tasks]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"tasks named twice: {', '.join(twice)}")
        return self
