"""The training loop: from settings to a run folder with its checkpoints, metrics and evaluation."""

import logging
import math
import time
from contextlib import ExitStack
from pathlib import Path

import torch

from routeviz.datasets import open_dataset
from routeviz.errors import RoutevizError
from routeviz.network import NetworkConfig, RoutingNetwork, load_pretrained, save_checkpoint
from routeviz.progress import Bar
from routeviz.space import architecture
from routeviz.training.batches import Crops, batches
from routeviz.training.config import TrainConfig
from routeviz.training.evaluation import Evaluation, evaluate
from routeviz.training.learner import Learner
from routeviz.training.ranks import average_statistics, joined_ranks
from routeviz.training.runs import RunFolder, read_metrics

log = logging.getLogger(__name__)


def network_config(config: TrainConfig, dataset) -> NetworkConfig:
    """Return the network that a training run builds for a dataset; an unknown architecture raises InputError."""
    network = {
        "layers": config.layers,
        "width": config.width,
        "num_classes": len(dataset.class_names),
        "small_gate": config.small_gate,
        "stem_width": config.stem_width,
        "class_names": tuple(dataset.class_names),
        "class_colors": tuple(tuple(color) for color in dataset.class_colors),
    }
    if config.architecture is not None:
        route = architecture(NetworkConfig(**network).space, config.architecture)
        network["fixed_gates"] = tuple(route.activations.tolist())
    return NetworkConfig(**network)


def train(
    config: TrainConfig,
    out: str | Path,
    *,
    resume: bool = False,
    branch: str | Path | None = None,
    device: str | torch.device | None = None,
    progress: bool = False,
) -> Evaluation:
    """Train a routing network into a run folder.

    Parameters
    ----------
    config : TrainConfig
    out : str or Path
        The run's folder, see `routeviz.training.runs`.
    resume : bool
        Go on from the folder's last state; a folder without one starts at the beginning. On CPU the weights become,
        bit for bit, those of a run that was never interrupted.
    branch : str or Path, optional
        A run that differs in its budget alone: its steps before the budget starts are taken over. The weights become,
        bit for bit, those of a run that was trained from the first step with this budget.
    device : str or torch.device, optional
        None takes a GPU where there is one.
    progress : bool
        Show a progress bar with rate and time left.

    Returns
    -------
    Evaluation
        Of the last step.

    Raises
    ------
    InputError
        The folder holds another run, or settings do not fit the data or each other.
    RoutevizError
        Another process trains in the folder, or the loss is no longer finite.

    Notes
    -----
    Started by `torchrun`, the processes share every batch: gradients are those of the whole batch. Batch norm is
    synchronised on GPU; see `routeviz.training.ranks.replicated` for CPU.
    """
    with joined_ranks(device) as ranks, ExitStack() as stack:
        progress = progress and ranks.first
        data = open_dataset(config.dataset, config.root, split=config.train_split, **config.options)
        eval_data = open_dataset(config.dataset, config.root, split=config.eval_split, **config.options)
        network = network_config(config, data)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            net = RoutingNetwork(network)
        crops = Crops(data, config, fill=_fill(network))
        run = RunFolder(out)
        if ranks.first:
            stack.enter_context(run.locked())
            run.prepare(config, network.to_dict(), resume=resume, branch=branch)
        ranks.wait()
        state = run.load_state()
        if state is None and config.init is not None:
            _start_from(net, config.init)
        learner = Learner(net, config, ranks, ignore_index=data.ignore_index)
        if state is None:
            state = {"step": 0, "seconds": 0.0}
        else:
            learner.restore(state["learner"])
        return _steps(learner, crops, eval_data, run, state["step"], state["seconds"], progress=progress)


def _steps(
    learner: Learner, crops: Crops, eval_data, run: RunFolder, start: int, seconds: float, *, progress: bool
) -> Evaluation:
    """Take all steps after `start`, which took `seconds`; write down what is to be kept."""
    config, ranks = learner.config, learner.ranks
    evaluation = None
    began = time.perf_counter() - seconds
    feed = batches(crops, start=start, rank=ranks.rank, ranks=ranks.size, pin_memory=ranks.device.type == "cuda")
    with Bar(
        total=config.steps, initial=start, desc="train", unit="step", disable=not progress, mininterval=1.0
    ) as bar:
        for done, (images, labels) in enumerate(feed, start + 1):
            last = done == config.steps
            branches = done == config.branch_step
            logs = last or done % config.log_every == 0
            saves = last or done % config.checkpoint_every == 0
            evaluates = last or done % config.eval_every == 0
            rate = learner.rate
            losses = learner.step(done - 1, images, labels)
            if logs or saves:
                figures = losses.over_ranks()
                if not math.isfinite(figures["loss"]):
                    raise RoutevizError(
                        f"the loss is {figures['loss']} at step {done}: try a base rate below {config.base_rate}"
                    )
            if logs:
                bar.set_postfix(loss=f"{figures['loss']:.3f}", refresh=False)
                if ranks.first:
                    line = {"step": done, **figures, "rate": rate, "seconds": time.perf_counter() - began}
                    run.append("step", line)
            bar.update()
            if saves or evaluates or branches:
                average_statistics(learner.net)
            if saves and ranks.first:
                save_checkpoint(learner.net, run.checkpoint(done), step=done)
            if evaluates:
                evaluation = evaluate(learner.net, eval_data, resize=config.resize, ranks=ranks, progress=progress)
                if ranks.first:
                    line = {"step": done, **evaluation.to_dict(), "seconds": time.perf_counter() - began}
                    run.append("evaluation", line)
            # After all that belongs to this step, so that none of it is missing where the run goes on.
            if (saves or branches) and ranks.first:
                state = {"step": done, "seconds": time.perf_counter() - began, "learner": learner.state()}
                if branches:
                    run.save_state(state, name="state-branch.pt")
                if saves:
                    run.save_state(state)
    return evaluation or _last_evaluation(run)


def _last_evaluation(run: RunFolder) -> Evaluation:
    line = [line for line in read_metrics(run.path) if line["kind"] == "evaluation"][-1]
    return Evaluation.from_dict({name: line[name] for name in Evaluation.__dataclass_fields__})


def _start_from(net: RoutingNetwork, path: str) -> None:
    """Take over a checkpoint's weights wherever they fit, and list the others."""
    for part, names in load_pretrained(net, path)._asdict().items():
        if names and part != "taken":
            log.warning("%s: %d tensors %s: %s", path, len(names), part, ", ".join(names))


def _fill(network: NetworkConfig) -> tuple[int, int, int]:
    """Return the RGB colour nearest to what the network sees as zero."""
    mean = network.normalization.mean
    red, green, blue = mean[::-1] if network.normalization.channels == "BGR" else mean
    return round(red), round(green), round(blue)
