"""The command ``routeviz``: knows its commands by name, loads the one that is used, ends every error in one line."""

import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from routeviz import __version__
from routeviz.errors import RoutevizError

COMMANDS = {
    "demo": "Trace the bundled samples with the bundled checkpoint and open the dashboard.",
    "train": "Train a routing network, with or without a budget.",
    "trace": "Record the routes that a dataset's images take through a checkpoint.",
    "stats": "Summarise a route log: usage of cells and paths, diversity, costs.",
    "scale": "Ask whether routes follow the scale of what images show, against chance.",
    "drift": "Follow the routes of the same images over all checkpoints of a run.",
    "force": "Force paths and cells, and see what changes: pixels, IoU, MACs.",
    "importance": "Close each path in turn: which matter, which are costly and useless.",
    "costs": "Count the MACs of a checkpoint or a log, in three conventions side by side.",
    "front": "Trace mIoU against MACs as a trained network's paths are closed; write any point.",
    "compare": "Set networks side by side: accuracy, MACs, parameters, and what was published.",
    "nearest": "Tell which static architecture each image's route is closest to.",
    "common": "Cut the network that most images share out of a log, and keep it as a checkpoint.",
    "import": "Turn a released checkpoint into one of routeviz's own.",
    "figures": "Draw every figure of a paper that a route log permits, in PDF, SVG and PNG.",
    "report": "Write a route log as one HTML file that opens anywhere.",
    "export": "Write a log as CSV, a route as GraphML, a network as a plain checkpoint.",
    "dashboard": "Look at route logs in the browser.",
}


def _end(message: str, code: int) -> NoReturn:
    click.echo(f"routeviz: {' '.join(message.split())}", err=True)
    sys.exit(code)


class Commands(click.Group):
    """A group that imports ``routeviz.cli.<name>`` when that command is used, and ends every error in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = "import_" if cmd_name == "import" else cmd_name
        return import_module(f"routeviz.cli.{module}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, *args: Any, standalone_mode: bool = True, **kwargs: Any) -> Any:
        """Run a command; exit with 0, with 2 on bad input and 130 on Ctrl-C, each after one line on stderr."""
        for stream in (sys.stdout, sys.stderr):
            # A file may have a name that is no text, and a terminal may know less signs than a message has.
            if getattr(stream, "errors", "") == "strict":
                stream.reconfigure(errors="backslashreplace")
        try:
            result = super().main(*args, standalone_mode=False, **kwargs)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(2)
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "routeviz"
            _end(f"error: {error.format_message().rstrip('.')} (try '{where} --help')", 2)
        except click.ClickException as error:
            _end(f"error: {error.format_message()}", 2)
        except click.Abort:
            _end("interrupted", 130)
        except RoutevizError as error:
            _end(f"error: {error}", 2)
        except OSError as error:
            _end(f"error: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""), 2)
        if not standalone_mode:
            return result
        # Outside standalone mode click returns the code of ctx.exit(), or else whatever the command returned.
        sys.exit(result if isinstance(result, int) else 0)


@click.command("routeviz", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="routeviz")
def cli() -> None:
    """See, count and compare the routes that images take through a dynamic-routing segmentation network.

    \b
    Example:
      routeviz demo
      routeviz trace step-008000.safetensors --dataset camvid --root CamVid --out log
      routeviz dashboard log
    """
