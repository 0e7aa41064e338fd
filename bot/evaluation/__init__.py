"""lm-evaluation-harness behind one door: suites as data, a child process, per-sample scores.

Importing this package loads neither torch nor lm-eval; only the child process does.
"""

from bot.evaluation.catalogue import Suite, load_suite_file, suite, suite_names, suites
from bot.evaluation.evaluate import Model, evaluate_all, evaluate_model
from bot.evaluation.process import Child
from bot.evaluation.results import Evaluation, read_evaluation
from bot.evaluation.settings import Settings, eval_key
from bot.evaluation.suite_data import TaskSpec

__all__ = [
    "Child",
    "Evaluation",
    "Model",
    "Settings",
    "Suite",
    "TaskSpec",
    "eval_key",
    "evaluate_all",
    "evaluate_model",
    "load_suite_file",
    "read_evaluation",
    "suite",
    "suite_names",
    "suites",
]
