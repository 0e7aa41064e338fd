"""lm-evaluation-harness behind one door: suites as data, a child process, per-sample scores.

Importing this package loads neither torch nor lm-eval; only the child process does.
"""

from bot.evaluation.child_process import Child
from bot.evaluation.dataset_access import DatasetAccess, pin_suite, prepare_suite
from bot.evaluation.evaluate_models import Model, evaluate_all, evaluate_model
from bot.evaluation.evaluation_settings import Settings, eval_key
from bot.evaluation.score_files import Evaluation, read_evaluation
from bot.evaluation.suite_catalog import Suite, load_suite_file, suite, suite_names, suites
from bot.evaluation.suite_schema import TaskSpec

__all__ = [
    "Child",
    "DatasetAccess",
    "Evaluation",
    "Model",
    "Settings",
    "Suite",
    "TaskSpec",
    "eval_key",
    "evaluate_all",
    "evaluate_model",
    "load_suite_file",
    "pin_suite",
    "prepare_suite",
    "read_evaluation",
    "suite",
    "suite_names",
    "suites",
]
