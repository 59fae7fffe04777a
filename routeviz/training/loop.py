"""The training loop: from settings to a run folder with its checkpoints, metrics and evaluation."""

import logging
import math
import time
from contextlib import ExitStack
from pathlib import Path

import torch
from tqdm import tqdm

from routeviz.datasets import open_dataset
from routeviz.errors import InputError, RoutevizError
from routeviz.network import NetworkConfig, RoutingNetwork, load_pretrained, save_checkpoint
from routeviz.space import architectures
from routeviz.training.batches import Crops, batches
from routeviz.training.config import TrainConfig
from routeviz.training.evaluation import Evaluation, evaluate
from routeviz.training.learner import Learner
from routeviz.training.ranks import Ranks, average_statistics, joined_ranks
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
        known = architectures(NetworkConfig(**network).space)
        if config.architecture not in known:
            raise InputError(f"architecture {config.architecture!r} is unknown: choose one of {', '.join(known)}")
        network["fixed_gates"] = tuple(known[config.architecture].activations.tolist())
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
        run = RunFolder(out)
        if ranks.first:
            stack.enter_context(run.locked())
            run.prepare(config, network.to_dict(), resume=resume, branch=branch)
        ranks.wait()
        state = run.load_state()
        net = _first_network(config, network, init=config.init if state is None else None)
        learner = Learner(net, config, ranks, ignore_index=data.ignore_index)
        if state is None:
            state = {"step": 0, "seconds": 0.0}
        else:
            learner.restore(state["learner"])
        crops = Crops(data, config, fill=_fill(network))
        return _steps(config, run, learner, crops, eval_data, ranks, state["step"], state["seconds"], progress)


def _steps(
    config: TrainConfig,
    run: RunFolder,
    learner: Learner,
    crops: Crops,
    eval_data,
    ranks: Ranks,
    start: int,
    seconds: float,
    progress: bool,
) -> Evaluation:
    evaluation = None
    began = time.perf_counter() - seconds
    bar = tqdm(total=config.steps, initial=start, desc="train", unit="step", disable=not progress, mininterval=1.0)
    feed = batches(crops, start=start, rank=ranks.rank, ranks=ranks.size, pin_memory=ranks.device.type == "cuda")
    with bar:
        for done, (images, labels) in enumerate(feed, start + 1):
            rate = learner.rate
            losses = learner.step(done - 1, images, labels)
            last = done == config.steps
            if done % config.log_every == 0 or last:
                line = losses.over_ranks()
                if not math.isfinite(line["loss"]):
                    raise RoutevizError(
                        f"the loss is {line['loss']} at step {done}: try a lower base rate than {config.base_rate}"
                    )
                if ranks.first:
                    run.append("step", {"step": done, **line, "rate": rate, "seconds": time.perf_counter() - began})
                bar.set_postfix(loss=f"{line['loss']:.3f}", refresh=False)
            bar.update()
            save = done % config.checkpoint_every == 0 or last
            assess = done % config.eval_every == 0 or last
            if save or assess or done == config.branch_step:
                average_statistics(learner.net)
            if save and ranks.first:
                save_checkpoint(learner.net, run.checkpoint(done), step=done)
            if assess:
                evaluation = evaluate(learner.net, eval_data, resize=config.resize, ranks=ranks, progress=progress)
                if ranks.first:
                    line = {"step": done, **evaluation.to_dict(), "seconds": time.perf_counter() - began}
                    run.append("evaluation", line)
            # After everything of this step, so that nothing of it is missing where the run goes on.
            if ranks.first and (save or done == config.branch_step):
                state = {"step": done, "seconds": time.perf_counter() - began, "learner": learner.state()}
                if done == config.branch_step:
                    run.save_state(state, name="state-branch.pt")
                if save:
                    run.save_state(state)
    if evaluation is None:
        lines = [line for line in read_metrics(run.path) if line["kind"] == "evaluation"]
        evaluation = Evaluation.from_dict({name: lines[-1][name] for name in Evaluation.__dataclass_fields__})
    return evaluation


def _first_network(config: TrainConfig, network: NetworkConfig, *, init: str | None) -> RoutingNetwork:
    """Build the network with the first weights of the run's seed, or of a checkpoint wherever that fits."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = RoutingNetwork(network)
    if init is not None:
        for part, names in load_pretrained(net, init)._asdict().items():
            if names and part != "taken":
                log.warning("%s: %d tensors %s: %s", init, len(names), part, ", ".join(names))
    return net


def _fill(network: NetworkConfig) -> tuple[int, int, int]:
    """Return the RGB colour nearest to what the network sees as zero."""
    mean = network.normalization.mean
    red, green, blue = mean[::-1] if network.normalization.channels == "BGR" else mean
    return round(red), round(green), round(blue)
