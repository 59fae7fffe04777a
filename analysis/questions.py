"""Make docs/questions.md: what people ask about dynamic routing, each with the command that answers it and its output.

    python analysis/questions.py

Every command runs on what comes with routeviz, in a folder of its own that is deleted afterwards.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from tqdm import tqdm

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "questions.md"
CHECKPOINT = "data/checkpoints/scenes/checkpoints/step-006000.safetensors"
LOG = "data/logs/scenes"
CAMVID_LOG = "data/logs/camvid-budget-0.1"
SCENES = "--dataset scenes --option length=24"
PRINT_ROWS = "import routeviz as rv; print(rv.load_log('log').images[['id', 'miou', 'macs_conv']].head(4))"
COMPARE_LOGS = """
import numpy as np, routeviz as rv
one, eight = rv.load_log('one'), rv.load_log('eight')
print(f'activations apart by at most {np.nanmax(abs(one.gates - eight.gates)):.0e}')
print('the same paths open:', (one.opened(slice(None)) == eight.opened(slice(None))).all())
print('the same MACs:', one.images.macs_conv.equals(eight.images.macs_conv))
"""


@dataclass(frozen=True)
class Question:
    """A question, its answer in words, commands that show it, and where the dashboard does.

    ``shown`` bounds the lines of each command's output.
    """

    question: str
    answer: str
    commands: tuple[str, ...]
    view: str
    shown: int = 60


QUESTIONS = (
    Question(
        "Can I fix a path by hand, with its factor, at inference?",
        "Yes: any path or cell of a trained network can be opened, closed or given an activation, for one image or a "
        "whole dataset; all other gates are asked as usual. What changes is counted: pixels, IoU, MACs.",
        (f'routeviz force {CHECKPOINT} "L4 s1 down=0.5" "L9 s1=closed" --dataset scenes --image val-00000',),
        "**What if** does the same with clicks, and writes the route as a file that `routeviz trace --route` takes for "
        "a whole dataset.",
    ),
    Question(
        "How do I get the *Common* network, the one that most images share?",
        "It is the static network of the paths that are open in at least a share of a log's images. It is cut from the "
        "log, and written with the network's weights and mean activations as a checkpoint that runs without gates.",
        (
            f"routeviz common {LOG} --keep 0.95 --checkpoint {CHECKPOINT} --out common.safetensors",
            f"routeviz trace common.safetensors {SCENES} --out common",
            f"routeviz common {LOG} --sweep",
        ),
        "**Population** shows the share of images that opens each path; **Compare** takes the mean of a log as a side.",
    ),
    Question(
        "Where do the FLOPs come from, and what do they leave out?",
        "They are multiply-adds (MACs), counted from the modules for the size of each image. Three conventions stand "
        "side by side, with what each leaves out. `released` reproduces what the released code prints, at 1024×2048 "
        "118.085 G with every path open.",
        ("routeviz costs --image-size 1024x2048",),
        "**Inspect** shows the MACs of the image, and those of a cell or path that is clicked.",
    ),
    Question(
        "Why do the FLOPs not match the budget?",
        "The budget steers the *expected* cost: each path's cost weighted by its activation. What an image costs is "
        "another number, since a path with an activation of 0.01 costs as much as one that is wide open. Along the "
        "training of the bundled run, whose budget is a share of 0.2:",
        (f"routeviz drift data/checkpoints/scenes {SCENES} --out drift",),
        "**Checkpoints** draws both over the steps of a run, and its part *Drift* all of the above.",
    ),
    Question(
        "FLOPs are averaged over the batch. What did my image cost?",
        "Every image has its own row: MACs in each convention, its size, and where labels exist its mIoU and how large "
        "its objects are. A log is Parquet, so pandas, polars and DuckDB open it as it is; CSV is there too.",
        (
            f"routeviz trace {CHECKPOINT} {SCENES} --out log",
            f'python -c "{PRINT_ROWS}"',
            "routeviz export log log --out log.csv",
        ),
        "**Inspect** sorts images by MACs; **Population** draws their histogram.",
    ),
    Question(
        "Why does the fixed network cost less than the dynamic one with the same paths?",
        "It has no gates. The dynamic network asks the gate of every cell that an image reaches, and every live cell "
        "sends zeros along its shut paths, so that cells run which have nothing to read. The fixed network builds only "
        "what its route uses. Here the same route as it was taken, and fixed:",
        (
            f"routeviz common {LOG} --keep 1 --checkpoint {CHECKPOINT} --out fixed.safetensors",
            "routeviz trace fixed.safetensors --dataset scenes --out fixed",
            f"routeviz compare dynamic={LOG} fixed=fixed",
        ),
        "**Architectures** gives the MACs of every static architecture without gates.",
    ),
    Question(
        "How is it decided that something is skipped?",
        "A path is open where its activation is above 1e-4. A cell is *closed* where all of its activations together "
        "are below that: it passes its input on and does not run. A cell that no live cell leads to is *unreached*. A "
        "live cell sends along all its paths, zeros along the shut ones: a cell that gets nothing else is *starved*, "
        "and runs all the same. Each image decides alone, whatever else is in its batch.",
        (f"routeviz stats {LOG} | sed -n '/^What runs/,/^$/p; /^Cells/,/^$/p'",),
        "**Inspect** draws each of these states with a mark of its own.",
    ),
    Question(
        "What do MACs say of the time that it takes?",
        "Part of it. Each cell's operation and gate, and each path, is timed by itself on this machine, in rounds, "
        "beside a whole forward pass. On images as small as these, MACs explain about half of what differs between "
        "parts, as every part takes some time whatever its MACs; on larger ones, as of 512x1024, most of it. "
        "Sums, indexing and Python take about as long as the parts. The figures are those of the machine that made "
        "this page.",
        (f"routeviz costs {CHECKPOINT} --image-size 128x256 --measure | sed -n '/^Time/,$p'",),
        "**Inspect** measures the cell or path that is clicked.",
    ),
    Question(
        "What do cells cost that only zeros were sent to?",
        "Such *starved* cells run on their biases alone. A log tells what they cost, with the cells that only they "
        "feed; with its checkpoint and images, `--starved` also tells what becomes of logits and mIoU without them. In "
        "the bundled run on scenes no cell is starved, in that on CamVid some are.",
        (f"routeviz costs {LOG} | tail -n 1", f"routeviz costs {CAMVID_LOG}"),
        "**Population**, *What does it cost?*, tells it of any part of a log and runs images without starved cells; "
        "**Inspect** says of a cell in how many images it is image-blind, and what that costs.",
    ),
    Question(
        "Can a trained network be made cheaper without training it again?",
        "Its budget front says how far: paths are closed under a threshold, or greedily, and mIoU is measured on all "
        "images each time. Any point is a checkpoint. What it buys is said in words, plainly where that is nothing; "
        "here it is little.",
        (
            f"routeviz front {CHECKPOINT} {SCENES} --thresholds 0.1,0.2,0.3 --rounds 2 --rank-images 4 --out front",
            f"routeviz front {CHECKPOINT} --out front --write greedy-01 --to smaller.safetensors | tail -n 1",
        ),
        "**Checkpoints**, part *Budget front*, draws a front that is there, or starts one.",
    ),
    Question(
        "Do batched and single runs agree?",
        "Yes, up to rounding. Closed paths are not computed for the images that close them, whatever others in the "
        "batch do, and both open the same paths for the same MACs. Matrix products of other sizes are rounded "
        "otherwise, so that activations can differ in their last digit.",
        (
            f"routeviz trace {CHECKPOINT} {SCENES} --batch-size 1 --out one",
            f"routeviz trace {CHECKPOINT} {SCENES} --batch-size 8 --out eight",
            f'python -c "{COMPARE_LOGS}"',
        ),
        "",
    ),
    Question(
        "Is my network dynamic at all?",
        "A gate that decides alike for all images makes a network static there. Each figure stands beside its "
        "definition; here the first ones. This network decides with 6 of its 149 paths.",
        (f"routeviz stats {LOG}",),
        "**Population**, *How dynamic is it?*, has the same figures and draws the entropy of each gate.",
        shown=46,
    ),
    Question(
        "Does the route follow the scale of objects?",
        "In this network it does. Correlations are tested against shuffled images and corrected for the number of "
        "paths; where the scale is known by construction, it is predicted from the route alone.",
        (
            f"routeviz scale log {LOG}",
            f"routeviz scale image {CHECKPOINT} --dataset scenes --image val-00001 --steps 9",
        ),
        "**Population**, *Does it follow scale?*, does both for any part of a log.",
    ),
    Question(
        "How do I show this to somebody who has none of it installed?",
        "As one HTML file that opens offline: routes to hover, every figure, tables, settings and hashes.",
        (f"routeviz report {LOG} --run data/checkpoints/scenes --out report.html",),
        "**Figures** exports pictures and their data one by one.",
    ),
    Question(
        "Which paths matter, and which cost and do nothing?",
        "Each path is closed alone, and what that changes is measured: pixels, class probabilities, mIoU and MACs. "
        "Here for one image; with `--out` for a whole dataset, where paths that are costly, often open and useless are "
        "named. MACs can grow when a path closes, since the gates further on are asked again and may open more.",
        (f"routeviz importance {CHECKPOINT} --dataset scenes --image val-00001 --top 8",),
        "**What if** draws it: *Importance of paths*; for a paper `rv.plot_importance` does.",
    ),
)


def page(run: Callable[[str], str]) -> str:
    """The page's Markdown; ``run`` gives a command's output."""
    parts = [
        "# Questions",
        "What people ask about networks that route dynamically, each with the command that answers it, and its output "
        "on the bundled run, which learned `scenes`. Made by `python analysis/questions.py`.",
        "\n".join(f"- [{one.question}](#{anchor(place)})" for place, one in enumerate(QUESTIONS, start=1)),
    ]
    for place, one in enumerate(QUESTIONS, start=1):
        shell = [f"$ {command}\n{cut(run(command), one.shown)}".rstrip() for command in one.commands]
        parts += [f'<a id="{anchor(place)}"></a>', f"## {one.question}", one.answer]
        parts.append("```console\n" + "\n".join(shell) + "\n```")
        parts += [f"In the dashboard: {one.view}"] if one.view else []
    return "\n\n".join(parts) + "\n"


def anchor(place: int) -> str:
    """Headings' own anchors differ from one viewer to the next."""
    return f"question-{place}"


def cut(text: str, lines: int) -> str:
    """At most so many lines; what is left out is said."""
    all_lines = text.splitlines()
    return "\n".join(
        all_lines[:lines] + ([f"... {len(all_lines) - lines} more lines"] if len(all_lines) > lines else [])
    )


def runner(folder: Path) -> Callable[[str], str]:
    """Runs commands in a folder in which ``data`` is the bundled data."""
    (folder / "data").symlink_to(ROOT / "data")
    env = os.environ | {"PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}

    def run(command: str) -> str:
        done = subprocess.run(command, shell=True, cwd=folder, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise click.ClickException(f"{command}\n{done.stderr}")
        return done.stdout

    return run


@click.command(help=__doc__)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=PAGE, help="The page.")
def main(out: Path) -> None:
    total = sum(len(one.commands) for one in QUESTIONS)
    with TemporaryDirectory() as folder, tqdm(total=total, unit="command") as bar:
        run = runner(Path(folder))

        def counted(command: str) -> str:
            output = run(command)
            bar.update()
            return output

        text = page(counted)
    out.write_text(text, encoding="utf-8")
    click.echo(f"wrote {out}")


if __name__ == "__main__":
    main()
