"""MACs of cells, paths and routes for an image size, in three conventions."""

from routeviz.costs.expected import BudgetWeights, budget_weights, expected_macs
from routeviz.costs.operators import CONVENTION_NOTES, CONVENTIONS
from routeviz.costs.parameters import parameters
from routeviz.costs.routes import PARTS, asked_cells, image_blind_macs, macs, macs_by_part
from routeviz.costs.table import CostTable, cost_table

__all__ = [
    "CONVENTIONS",
    "CONVENTION_NOTES",
    "PARTS",
    "BudgetWeights",
    "CostTable",
    "asked_cells",
    "budget_weights",
    "cost_table",
    "expected_macs",
    "image_blind_macs",
    "macs",
    "macs_by_part",
    "parameters",
]
