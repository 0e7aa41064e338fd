"""Processes that load untrusted models: no token, a private home, limits, no network.

Standard library only, so that the Space can carry a copy.
"""

from bot.isolation.child_environment import child_environment
from bot.isolation.crash_cause import crash_cause
from bot.isolation.gpu_devices import create_gpu_devices
from bot.isolation.isolated_process import IsolatedProcess, Limits, address_space
from bot.isolation.limit_this_process import limit_this_process
from bot.isolation.protection import Protection
from bot.isolation.run_isolated import IsolatedResult, probe, run_isolated

__all__ = [
    "IsolatedProcess",
    "IsolatedResult",
    "Limits",
    "Protection",
    "address_space",
    "child_environment",
    "crash_cause",
    "create_gpu_devices",
    "limit_this_process",
    "probe",
    "run_isolated",
]
