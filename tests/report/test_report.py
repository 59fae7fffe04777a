import base64
import gzip
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from routeviz.errors import InputError, WriteError
from routeviz.plots.catalogue import FIGURES
from routeviz.report import make_report, write_report
from routeviz.report.drawn import Drawn
from routeviz.report.report import MOST_BYTES
from routeviz.report.routes import sample_rows
from routeviz.report.tables import Share, table
from routeviz.routelog import RouteLog
from routeviz.space import lattice_space
from routeviz.space.svg import lattice_data

HOSTILE = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'


def random_log(images=5, *, ids=None, source=None):
    space = lattice_space(4, 4)
    rng = np.random.default_rng(0)
    gates = (rng.random((images, space.n_paths)) * (rng.random((images, space.n_paths)) < 0.6)).astype(np.float32)
    facts = {"id": ids or [f"image {n}" for n in range(images)], "macs_conv": np.arange(images) + 10**8}
    return RouteLog(gates, pd.DataFrame(facts), space, source or {})


@pytest.fixture
def undrawn(monkeypatch):
    """Figures as a word each: what they look like is tested where they are drawn."""
    drawn = [Drawn("usage", "Use", "Of paths", "<svg></svg>", False)], {"route": "no picture"}
    monkeypatch.setattr("routeviz.report.report.drawn_figures", lambda material, **options: drawn)


def routes_of(html):
    packed = re.search(r'id="routes">([^<]*)</script>', html)[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


class Tags(HTMLParser):
    """All tags of a page with their attributes, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.usefixtures("undrawn")
def test_the_page_holds_the_drawing_of_every_image():
    log = random_log()
    routes = routes_of(make_report(log).html.decode())
    assert [image["id"] for image in routes["images"]] == [f"image {n}" for n in range(5)]
    for row, image in enumerate(routes["images"]):
        assert image["paint"]["activation"] == json.loads(
            json.dumps(lattice_data(log.space, log.gates[row])["activation"])
        )
        assert image["facts"] == [["MACs (conv)", f"{10**8 + row:,}"]]
    assert len(routes["lattice"]["paths"]) == log.space.n_paths


@pytest.mark.usefixtures("undrawn")
def test_it_asks_no_host_for_anything_and_forbids_itself_to():
    page = Tags(make_report(random_log()).html.decode())
    for _, attributes in page.tags:
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


@pytest.mark.usefixtures("undrawn")
def test_markup_in_names_stays_text():
    source = {"dataset": {"name": HOSTILE}, "checkpoint": {"file": HOSTILE, "sha256": HOSTILE}}
    plain = Tags(make_report(random_log()).html.decode())
    log = random_log(ids=[HOSTILE, *"abcd"], source=source)
    html = make_report(log, title=HOSTILE, command=HOSTILE).html.decode()
    page = Tags(html)
    count = [tag for tag, _ in page.tags].count
    assert count("script") == [tag for tag, _ in plain.tags].count("script") == 2
    assert count("img") == [tag for tag, _ in plain.tags].count("img")
    assert HOSTILE in page.text
    assert routes_of(html)["images"][0]["id"] == HOSTILE


@pytest.mark.usefixtures("undrawn")
def test_equal_logs_give_equal_bytes():
    first, again = make_report(random_log(), command="a"), make_report(random_log(), command="a")
    assert first == again
    assert make_report(random_log(), command="b") != first


@pytest.mark.usefixtures("undrawn")
def test_settings_hashes_and_the_command_are_on_the_page():
    log = random_log(source={"checkpoint": {"file": "step.safetensors", "sha256": "0a" * 32}, "weights": "1b" * 32})
    text = Tags(make_report(log, command="routeviz report log --out report.html").html.decode()).text
    for words in (log.digest, log.space.digest, "0a" * 32, "1b" * 32, "routeviz report log --out report.html"):
        assert words in text
    assert "Left out route: no picture." in text


@pytest.mark.usefixtures("undrawn")
def test_a_long_log_is_sampled_the_same_way_every_time_and_says_so():
    report = make_report(random_log(50), images=7)
    assert len(report.images) == len(set(report.images)) == 7
    assert list(report.images) == sorted(report.images, key=lambda name: int(name.split()[1]))
    assert "A sample of 7 of the log's 50 images" in report.html.decode()
    assert report.images == make_report(random_log(50), images=7).images
    assert len(sample_rows(random_log(), 5)) == 5


@pytest.mark.usefixtures("undrawn")
def test_shares_are_of_all_images_also_of_those_not_shown():
    log = random_log(50)
    image = routes_of(make_report(log, images=2).html.decode())["images"][0]
    share = f"{(log.gates[:, 0] > 1e-4).mean():.1%}"
    assert f"open, of all 50 images: {share}" in image["paint"]["path_text"][0]


def test_what_passes_five_megabytes_is_halved_then_refused(monkeypatch):
    big = Drawn("usage", "Use", "Of paths", "x" * MOST_BYTES, False)
    monkeypatch.setattr("routeviz.report.report.drawn_figures", lambda material, **options: ([big], {}))
    with pytest.raises(InputError, match="choose part of the log"):
        make_report(random_log())


@pytest.mark.usefixtures("undrawn")
def test_a_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    report = write_report(random_log(), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_bytes() == report.html
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(WriteError, match="disk full"):
        write_report(random_log(3), tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_bytes() == report.html


@pytest.mark.slow
def test_every_figure_is_drawn_or_its_lack_explained():
    report = make_report(random_log())
    assert {*report.figures, *report.left_out} == set(FIGURES)
    assert "usage" in report.figures
    html = report.html.decode()
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', html)) <= set(ids)
    # A figure's own rules hold for it alone: the lattice above is drawn by the page's.
    for name, rules in re.findall(r'<figure id="(\w+)".*?<style[^>]*>(.*?)</style>', html, re.DOTALL):
        assert rules.startswith(f"#{name} *{{")
        assert rules.count("{") == 1


def test_a_share_that_is_unknown_stays_empty():
    assert "<td></td>" in table(("a", "b"), [("x", Share("nan"))])
    assert "--share:25.0%" in table(("a", "b"), [("x", Share(0.25))])


def test_a_small_network_s_macs_keep_their_digits(undrawn):
    log = random_log()
    images = log.images.assign(macs_conv=4096)
    assert "4.096 k" in make_report(RouteLog(log.gates, images, log.space, log.source)).html.decode()
