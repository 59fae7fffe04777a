import ast
import subprocess
import sys
from pathlib import Path

import pytest

import routeviz as rv
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


def test_type_checkers_see_the_same_names_in_the_same_rooms():
    tree = ast.parse(Path(rv.__file__).read_text())
    seen = {
        alias.asname: node.module.removeprefix("routeviz.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("routeviz.")
        for alias in node.names
    }
    assert seen == rv._HOME


def test_bundled_data_is_found_or_says_so():
    assert bundled_data().is_dir()
    with pytest.raises(InputError, match="no bundled no/such"):
        bundled_data("no/such")


def test_every_error_is_of_one_family():
    errors = [getattr(rv, name) for name in rv.__all__ if name.endswith("Error")]
    assert len(errors) == 6
    assert all(issubclass(error, RoutevizError) for error in errors)
