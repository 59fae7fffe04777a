"""MACs of cells, paths and routes for an image size, in three conventions."""

from routeviz.costs.expected import BudgetWeights, budget_weights, expected_macs
from routeviz.costs.operators import CONVENTION_NOTES, CONVENTIONS, RECORDED_NOTE
from routeviz.costs.parameters import parameters
from routeviz.costs.routes import (
    PARTS,
    asked_cells,
    executed_parts,
    image_blind_macs,
    macs,
    macs_by_part,
    starved_macs,
)
from routeviz.costs.table import CostTable, cost_table
from routeviz.costs.timing import TimeTable, measure_times

__all__ = [
    "CONVENTIONS",
    "CONVENTION_NOTES",
    "PARTS",
    "RECORDED_NOTE",
    "BudgetWeights",
    "CostTable",
    "TimeTable",
    "asked_cells",
    "budget_weights",
    "cost_table",
    "executed_parts",
    "expected_macs",
    "image_blind_macs",
    "macs",
    "macs_by_part",
    "measure_times",
    "parameters",
    "starved_macs",
]
