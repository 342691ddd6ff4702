"""Strategies: what one is, the registry, and the shipped ones: those that may run, and research's examples."""

from __future__ import annotations

from peaktrade_core.trading.strategies import core, r_and_d
from peaktrade_core.trading.strategies.registry import (
    AUX,
    CORE,
    LEGACY,
    MAY_RUN,
    R_AND_D,
    TIERS,
    Strategy,
    Update,
    all_strategies,
    get_strategy,
    register,
    scratch_registry,
)

__all__ = [
    "AUX",
    "CORE",
    "LEGACY",
    "MAY_RUN",
    "R_AND_D",
    "SHIPPED",
    "TIERS",
    "Strategy",
    "Update",
    "all_strategies",
    "get_strategy",
    "register",
    "scratch_registry",
]

SHIPPED = (core, r_and_d)  # modules that register strategies when they are imported
