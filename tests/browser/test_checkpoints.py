import re
import time
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from PIL import Image

import routeviz as rv
from routeviz.dashboard.caches import FRESH_S
from routeviz.dashboard.settings import JOBS
from routeviz.jobs import list_jobs, stop
from routeviz.training import TrainConfig, read_metrics, train

IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
LATTICE = ".player .rv .scroll svg"
PART = {"use": "Run a checkpoint", "train": "Train", "front": "Budget front"}


@pytest.fixture(scope="module")
def front(shelf):
    """A front of the shelf's checkpoint: as trained, a threshold, a greedy round."""
    scenes = rv.open_dataset("scenes", length=2, size=(64, 64))
    settings = {"thresholds": (0.6,), "rounds": 1, "share": 0.1, "rank_images": 1, "workers": 0}
    return rv.budget_front(
        rv.load_checkpoint(shelf.checkpoint), scenes, out=shelf.folder / "fronts" / "tiny", **settings
    )


@pytest.fixture(scope="module")
def run_folder(shelf, front):
    """A tiny run on the shelf: checkpoints and evaluations at 2, 4 and 6."""
    config = TrainConfig(
        dataset="scenes",
        options={"length": 4, "size": (64, 96)},
        crop=(64, 96),
        scale=(1, 1),
        layers=4,
        width=4,
        stem_width=4,
        batch_size=2,
        steps=6,
        checkpoint_every=2,
        eval_every=2,
        log_every=1,
    )
    folder = shelf.folder / "runs" / "tiny"
    train(config, folder)
    time.sleep(FRESH_S)  # an earlier look at the shelf, which has neither run nor front, is used that long
    return folder


@pytest.fixture
def home(shelf):
    """Where the dashboard's jobs are; none of them outlives a test."""
    folder = shelf.folder / JOBS
    yield folder
    for job in list_jobs(folder):
        stop(job)


def visit(page, part=None):
    # Not at its address: streamlit first looks for itself below it, in vain, which the page counts as an error.
    page.goto("/")
    page.get_by_role("link", name="Checkpoints").click()
    page.wait_for_url("**/checkpoints*")
    if part:
        page.get_by_text(PART[part], exact=True).click()
    page.wait_for_selector(IDLE)


def visit_run(page):
    visit(page)
    page.get_by_role("combobox", name="Training run").fill("tiny")
    page.keyboard.press("Enter")
    page.locator(LATTICE).first.wait_for()
    page.wait_for_selector(IDLE)


def shown_step(page):
    return page.locator(".player .step").inner_text()


def test_an_uploaded_checkpoint_runs_on_an_uploaded_image_and_its_route_is_inspected(
    page, shelf, home, tmp_path, chromium, address
):
    sample = rv.open_dataset("scenes", length=1, size=(64, 96))[0]
    Image.fromarray(sample.image).save(tmp_path / "my scene.png")
    visit(page, "use")
    page.get_by_role("combobox", name="Checkpoint").fill("Upload")
    page.keyboard.press("Enter")
    uploaders = page.get_by_test_id("stFileUploader")
    uploaders.nth(1).wait_for()
    uploaders.nth(0).locator("input[type=file]").set_input_files(shelf.checkpoint)
    uploaders.nth(1).locator("input[type=file]").set_input_files(tmp_path / "my scene.png")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("button", name="Inspect the routes").click()
    page.locator('.rv .scroll svg[aria-label="Route of my scene.png"]').wait_for()
    page.get_by_text("segmentation", exact=True).wait_for()
    page.wait_for_selector(IDLE)
    assert page.locator("figure img:visible").count() == 2  # the image and its segmentation; it has no label
    assert page.locator(".classes i").count() == len(shelf.log.source["dataset"]["class_names"])
    assert set(parse_qs(urlsplit(page.url).query)) >= {"source", "image"}
    job = next(job for job in list_jobs(home) if job.kind == "trace")  # the last, where this is tried again
    net = rv.load_checkpoint(shelf.checkpoint)
    with torch.inference_mode():
        gates = net(net.preprocess(sample.image)[None]).gates.numpy()
    np.testing.assert_allclose(rv.load_log(job.result).gates, gates, atol=1e-5)
    link = page.url
    again = page.context.new_page()  # the browser's cookie knows it; another browser has none
    again.goto(link)
    again.locator('.rv .scroll svg[aria-label="Route of my scene.png"]').wait_for()
    other = chromium.new_page(base_url=address)
    other.goto(link)
    other.get_by_text("which is not in the list here").first.wait_for(timeout=60_000)
    other.locator(".rv .scroll svg").first.wait_for()
    assert other.locator('svg[aria-label="Route of my scene.png"]').count() == 0
    other.goto("/checkpoints")
    other.get_by_role("heading", name="Jobs").wait_for()
    assert other.locator(f".st-key-job_{job.id}").count() == 0
    other.close()


def test_a_job_is_found_again_when_the_page_was_closed_and_can_be_stopped(page, home, chromium, address):
    visit(page, "train")
    page.get_by_label("Steps", exact=True).fill("100000")
    page.keyboard.press("Enter")
    page.wait_for_selector(IDLE)
    page.get_by_role("button", name="Start the training").click()
    page.get_by_text(re.compile(r"of 100,000 steps")).wait_for()
    page.goto("about:blank")
    (job,) = [job for job in list_jobs(home) if job.kind == "train"]
    assert job.running
    other = chromium.new_page(base_url=address)
    other.set_default_timeout(60_000)
    other.goto("/checkpoints?part=Train")
    card = other.locator(f".st-key-job_{job.id}")
    card.get_by_text(re.compile(r"of 100,000 steps")).wait_for()
    card.get_by_role("button", name="Stop").click()
    card.get_by_role("button", name="Resume").wait_for()
    other.wait_for_selector(IDLE)  # buttons to the right of the next one come last, and move it
    assert "stopped" in card.inner_text()
    card.get_by_role("button", name="Show the run").click()
    other.get_by_role("combobox", name="Training run").wait_for()
    other.close()
    assert [found.state for found in list_jobs(home) if found.id == job.id] == ["stopped"]


def test_a_training_is_played_and_the_slider_follows(page, run_folder):
    visit_run(page)
    places = "nodes => nodes.map(node => node.getAttribute('transform'))"
    before = page.locator(".player .cell").evaluate_all(places)
    assert shown_step(page) == "step 6"
    page.get_by_role("button", name="Play the training").click()
    page.locator(".player .step", has_text="step 2").wait_for()
    page.locator(".player .step", has_text="step 6").wait_for()
    page.get_by_test_id("stSliderThumbValue").get_by_text("6", exact=True).wait_for()
    page.wait_for_selector(IDLE)
    assert shown_step(page) == "step 6"
    assert page.locator(".player .cell").evaluate_all(places) == before


def test_one_slider_marks_the_step_in_all_charts(page, run_folder):
    visit_run(page)
    page.get_by_test_id("stSlider").locator("input").focus()
    page.keyboard.press("ArrowLeft")
    page.locator(".player .step", has_text="step 4").wait_for()
    page.wait_for_url("**step=4*")
    page.wait_for_selector(IDLE)
    miou = next(line["miou"] for line in read_metrics(run_folder) if line["kind"] == "evaluation" and line["step"] == 4)
    assert f"{100 * miou:.1f}%" in page.get_by_test_id("stMetric").filter(has_text="mIoU").inner_text()
    charts = page.locator(".js-plotly-plot")
    assert charts.count() == 3
    for chart in charts.all():
        assert chart.locator(".annotation-text").text_content() == "4"


@pytest.mark.parametrize("part", [None, "use", "train"])
def test_nothing_is_cut_off_at_the_usual_widths(page, run_folder, part):
    visit(page, part)
    for width in (1280, 1920):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_function(FITS)


def test_a_point_of_the_front_that_is_clicked_gives_the_command_that_writes_it(page, run_folder, front):
    visit(page, "front")
    chart = page.locator(".st-key-front_chart .js-plotly-plot")
    greedy = chart.locator(".scatterlayer .trace").filter(has=page.locator("path.point")).last
    greedy.locator("path.point").first.click(force=True)
    page.wait_for_url(re.compile("point=greedy-01"))
    page.get_by_text("--write greedy-01 --to greedy-01.safetensors").wait_for()
    miou = front.points.set_index("name").miou["greedy-01"]
    assert f"{100 * miou:.1f}%" in page.get_by_test_id("stMetric").filter(has_text="mIoU of all images").inner_text()
    for width in (1280, 1920):
        page.set_viewport_size({"width": width, "height": 1000})
        page.wait_for_function(FITS)


def test_the_player_has_the_page_s_theme(chromium, address, run_folder):
    context = chromium.new_context(color_scheme="dark", base_url=address)
    page = context.new_page()
    page.set_default_timeout(60_000)
    visit_run(page)
    assert page.locator(".player .rv").evaluate_all("nodes => nodes.map(node => node.dataset.theme)") == ["dark"] * 3
    context.close()
