import ast
import subprocess
import sys
from pathlib import Path

import pytest

import routeviz as rv
from routeviz import plots, stats, training
from routeviz.bundled import bundled_data
from routeviz.errors import InputError, RoutevizError

CONTRACT = [
    "NetworkConfig",
    "Route",
    "RoutingNetwork",
    "architectures",
    "load_checkpoint",
    "load_log",
    "macs",
    "to_networkx",
    "trace",
]


def test_import_is_light():
    program = "import sys, routeviz; print([n for n in sys.modules if n.split('.')[0] in {'torch', 'pandas', 'numpy'}])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", rv.__all__)
def test_every_public_name_leads_somewhere(name):
    assert getattr(rv, name) is not None
    assert name in dir(rv)


def test_the_contract_is_public():
    assert set(CONTRACT) <= set(rv.__all__)


def test_rooms_are_reached_as_attributes():
    assert rv.stats.__name__ == "routeviz.stats"


def test_unknown_name():
    with pytest.raises(AttributeError, match="'routeviz' has no attribute 'no_such'"):
        rv.no_such  # noqa: B018


@pytest.mark.parametrize("package", [rv, plots, stats, training])
def test_type_checkers_see_the_same_names_in_the_same_rooms(package):
    checked = next(node for node in ast.parse(Path(package.__file__).read_text()).body if isinstance(node, ast.If))
    seen = {
        alias.name: node.module.removeprefix(f"{package.__name__}.") for node in checked.body for alias in node.names
    }
    assert seen == {name: room for room, names in package._ROOMS.items() for name in names}
    assert set(seen) <= set(package.__all__)
    # A module that was imported would be found in place of what bears its name.
    assert set(seen).isdisjoint(package._ROOMS)


def test_bundled_data_is_found_or_says_so():
    assert bundled_data().is_dir()
    with pytest.raises(InputError, match="no bundled no/such"):
        bundled_data("no/such")


def test_every_error_is_of_one_family():
    errors = [getattr(rv, name) for name in rv.__all__ if name.endswith("Error")]
    assert len(errors) == 6
    assert all(issubclass(error, RoutevizError) for error in errors)
