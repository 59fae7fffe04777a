import contextlib
import io
import re
import zipfile
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")

IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
RUNNING = "[data-testid=stApp][data-test-script-state=running]"


def visit(page):
    page.goto("/")
    page.wait_for_selector(".rv .scroll svg")
    page.wait_for_selector(IDLE)


def settle(page):
    """Wait until what was changed has run: a button that is pressed before belongs to what was there before."""
    with contextlib.suppress(playwright.TimeoutError):
        page.wait_for_selector(RUNNING, timeout=5_000)
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(500)


def open_figures(page):
    """By the navigation: streamlit asks a page's own address for files that are not there."""
    page.get_by_role("link", name="Figures").click()
    page.get_by_role("heading", name="Figures of this log").wait_for()
    page.wait_for_selector(IDLE)


def button(page, key):
    """The button of a key; one with a hint is there twice."""
    return page.locator(f".st-key-{key} button").first


def open_export(page, key):
    """Open the popover that holds the buttons of a picture."""
    popovers = page.get_by_test_id("stPopover").filter(has_text="Export")
    popovers.first.get_by_role("button").click()
    button(page, f"export_{key}_pdf").wait_for()


def downloaded(page, key):
    with page.expect_download() as download:
        button(page, key).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def inches_of(pdf):
    """Width of a PDF's page."""
    return float(re.search(rb"/MediaBox \[\s*0 0 ([\d.]+)", pdf)[1]) / 72


def test_a_route_goes_out_as_a_pdf_that_holds_its_fonts(page):
    visit(page)
    open_export(page, "inspect")
    name, pdf = downloaded(page, "export_inspect_pdf")
    assert name == "Route-of-val-00000.pdf"
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert inches_of(pdf) == pytest.approx(6.875, abs=0.01)
    page.get_by_role("radio", name="column").click()
    settle(page)
    assert inches_of(downloaded(page, "export_inspect_pdf")[1]) == pytest.approx(3.25, abs=0.01)


def test_its_data_go_out_as_a_table(page, shelf):
    visit(page)
    open_export(page, "inspect")
    name, table = downloaded(page, "export_inspect_csv")
    header, *rows = table.decode().splitlines()
    assert name == "Route-of-val-00000.csv"
    assert header.split(",")[-2:] == ["activation", "open"]
    assert len(rows) == shelf.log.space.n_paths
    assert sum(row.endswith("True") for row in rows) == shelf.log.route(0).open.sum()


def test_pictures_are_collected_on_the_way_and_exported_together(page, shelf):
    visit(page)
    open_export(page, "inspect")
    button(page, "export_inspect_add").click()
    page.get_by_text("1 figure is collected").wait_for()
    open_figures(page)
    page.get_by_role("heading", name="Collected (1)").wait_for()
    button(page, "figures_draw_usage").click()
    page.get_by_test_id("stPopover").filter(has_text="Export").wait_for()
    page.wait_for_selector(IDLE)
    open_export(page, "figures_usage")
    button(page, "export_figures_usage_add").click()
    page.get_by_role("heading", name="Collected (2)").wait_for()
    page.wait_for_selector(IDLE)
    page.keyboard.press("Escape")
    name, data = downloaded(page, "figures_zip")
    assert name == "figures.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        figures = ("01-Route-of-val-00000", "02-Use-of-paths")
        assert set(archive.namelist()) == {"README.txt"} | {
            f"{figure}.{kind}" for figure in figures for kind in ("pdf", "svg", "png", "csv")
        }
        words = archive.read("README.txt").decode()
        assert archive.read("02-Use-of-paths.pdf").startswith(b"%PDF-")
    assert shelf.log.digest in words
    assert "made by: rv.plot_usage(log)" in words
    assert "image=val-00000" in words


def test_nothing_is_cut_off_at_the_usual_widths(page):
    visit(page)
    open_figures(page)
    cut = "nodes => nodes.filter(node => node.scrollWidth > node.clientWidth + 1).map(node => node.textContent)"
    for width in (1280, 1920):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_function(FITS)
        assert page.locator("[data-testid=stMain] button p").evaluate_all(cut) == []
