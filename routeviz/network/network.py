"""The routing network, from an image to its logits and its gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from routeviz.errors import InputError
from routeviz.network import dense, sparse
from routeviz.network.blocks import Stem
from routeviz.network.captured import Capturing
from routeviz.network.cell import GATE_BIAS, Cell
from routeviz.network.config import NetworkConfig
from routeviz.network.decoder import Decoder
from routeviz.network.finite import check_finite_logits
from routeviz.network.folding import Folding, Parts
from routeviz.network.forcing import RouteLike, forced_gates
from routeviz.network.inbox import Inbox, Passage, take
from routeviz.space import OPEN_THRESHOLD, STATES, Route

EXECUTIONS = ("folded", "sparse", "dense", "captured")
"""Ways to compute the same at inference; see :class:`RoutingNetwork`."""


class NetworkOutput(NamedTuple):
    """What a forward pass gives.

    Attributes
    ----------
    logits : Tensor, (N, class, H, W) float32
    gates : Tensor, (N, path) float32
        Activations that were used, in the space's path order. At inference NaN exactly where a cell was unreached.
    """

    logits: Tensor
    gates: Tensor


class RoutingNetwork(nn.Module):
    """Dynamic routing network for semantic segmentation (CVPR 2020, arXiv 2003.10401).

    In eval mode every image takes its own route: a cell runs on the images of the batch that reach and open it, a path
    on those that open the path, and each image gets what it would get alone. In training mode every cell and path runs
    on the whole batch, since batch norm depends on it, and gates keep their gradients.

    Parameters
    ----------
    config : NetworkConfig

    Attributes
    ----------
    execution : str
        How inference computes; logits agree to 1e-4 of the largest and the same paths open, but for activations within
        1e-6 of the threshold, which rounding may put on either side of it.

        - ``"folded"``: as sparse, through a copy of the weights with batch norms folded into convolutions,
          channels-last, and sums made in place. Made at the first use and after every change of the weights. Sparse
          where gradients are enabled, where a part has a hook, and where fvcore or torch counts operators.
        - ``"sparse"``: closed paths and cells are not computed, and every cell runs on the images that open it.
        - ``"dense"``: every transform of a live cell is computed and multiplied by its gate, on the whole batch, as the
          released code does it.
        - ``"captured"``: for a GPU: everything is computed on the whole batch and masked, as one CUDA graph for each
          size of batch and image. Quicker than folded on small batches, which leave a GPU waiting for the CPU. Is
          folded on a CPU, in networks without gates, layer by layer, and where logits are not finite.
    """

    def __init__(self, config: NetworkConfig | None = None):
        super().__init__()
        self.config = config = config or NetworkConfig()
        self.space = space = config.space
        gated = config.fixed_gates is None
        used = Route(space, np.ones(space.n_paths) if gated else config.fixed_gates)
        live, is_open = used.states.state[0] == STATES.index("open"), used.open
        self.stem = Stem(config.stem_width, config.width)
        self.cells = nn.ModuleList()
        for cell, channels in enumerate(space.cells.channels):
            paths = space.paths_from(cell)
            moves = space.moves[paths]
            built = [move for move, used_here in zip(moves, is_open[paths], strict=True) if used_here]
            self.cells.append(
                Cell(channels, moves, gated=gated, small_gate=config.small_gate, live=bool(live[cell]), built=built)
            )
        finals = space.cells[space.cells.layer == space.layers]
        self.decoder = Decoder(finals.channels.tolist(), config.num_classes)
        # Plain lists: the forward passes read them cell by cell.
        self._cell_shapes = list(zip(space.cells.channels.tolist(), space.cells.stride.tolist(), strict=True))
        self.leads_to = np.where(space.exits, space.n_cells + space.paths.target_scale, space.target).tolist()
        fixed = None if gated else torch.tensor(used.activations)
        self.register_buffer("fixed_gates", fixed, persistent=False)
        # None where every threshold is that of training: gates are then used as they are, to the last bit.
        least = torch.ones(space.n_paths) * torch.tensor(config.open_threshold)
        raised = config.open_threshold != OPEN_THRESHOLD
        self.register_buffer("open_threshold", least if raised else None, persistent=False)
        self.execution = EXECUTIONS[0]
        self._folding, self._capturing = Folding(), Capturing()
        self.apply(_initialise)

    def forward(self, images: Tensor, route: RouteLike | None = None, *, run_starved: bool = True) -> NetworkOutput:
        """Segment a batch of images of one size.

        Parameters
        ----------
        images : Tensor, (N, 3, H, W) float32
            Normalised as :meth:`preprocess` does; any H and W.
        route : Route, ForcedRoute, mapping of path index to value, (path,) or (N, path) array, optional
            Activations to use instead of the gates'; NaN asks the gate. Whether a cell is closed is decided after
            forcing, and a cell forced on all its paths computes no gate. Inference only.
        run_starved : bool
            Whether cells to which only zeros were sent run, on their biases alone, as in the released code; False
            leaves them unreached. Inference only.

        Returns
        -------
        NetworkOutput

        Raises
        ------
        InputError
            If the images have another shape, or the route does not fit the space or the network.
        NonFiniteError
            If, at inference, the logits are not finite; names the cell where NaN or infinity first appears.
        """
        if self.training and (route is not None or not run_starved):
            raise InputError("a route can be forced, and a cell starved, at inference only; call net.eval() first")
        captured = self._captured(images, route, run_starved=run_starved)
        if captured is not None:
            return captured
        passage = self.start(images)
        if self.training and self.fixed_gates is None:
            self._advance_dense(passage)
        else:
            self.advance(passage, route, run_starved=run_starved)
        output = self.finish(passage)
        if not self.training:
            check_finite_logits(self, images, route, output.logits, run_starved=run_starved)
        return output

    def _captured(self, images: Tensor, route: RouteLike | None, *, run_starved: bool) -> NetworkOutput | None:
        """The whole pass as a CUDA graph; None where it is to be run in another way, or is not finite."""
        if self.execution != "captured" or not images.is_cuda or self.fixed_gates is not None:
            return None
        padded, parts = self._padded(images), self._parts(images)
        if parts is self:
            return None
        forced = forced_gates(route, self.space, len(images), None)
        logits, gates = self._capturing.run(self, parts, padded, forced, run_starved=run_starved)
        if not logits.sum(dtype=torch.float32).isfinite():
            return None
        height, width = images.shape[-2:]
        return NetworkOutput(logits[..., :height, :width], gates)

    def start(self, images: Tensor) -> Passage:
        """Pad a batch and run the stem: ``(N, 3, H, W)`` to a passage that stands before layer 0.

        A forward pass is ``start``, ``advance`` and ``finish``. Taken apart, it can stop before any layer, be kept
        there (:meth:`Passage.fork`), and go on again under another route.
        """
        padded, parts = self._padded(images), self._parts(images)
        x, size = parts.stem(padded), tuple(padded.shape[-2:])  # (N, C, H/4, W/4)
        boxes = self._inboxes(x, size, in_place=parts is not self)
        boxes[0].add(np.arange(len(x)), x, spend=True)
        gates = torch.full((len(x), self.space.n_paths), torch.nan)
        return Passage(boxes, gates, parts, image_size=tuple(images.shape[-2:]), padded_size=size)

    def advance(
        self,
        passage: Passage,
        route: RouteLike | None = None,
        *,
        until: int | None = None,
        run_starved: bool = True,
        opened: Callable[[int, Tensor], None] | None = None,
    ) -> None:
        """Run layers ``passage.layer`` to ``until`` (excluded; by default all that are left), sparsely and in place.

        ``route`` and ``run_starved`` are those of :meth:`forward`; what a route says of layers that have run has no
        effect any more. ``opened`` is told of each open path, with what is sent along it for the images that open it.
        """
        until = self.space.layers + 1 if until is None else until
        forced = forced_gates(route, self.space, len(passage.gates), self.fixed_gates)
        run = dense.run_cell if passage.parts is self and self.execution == "dense" else sparse.run_cell
        for index in range(*self._cells_between(passage.layer, until)):
            run(self, index, passage, forced, run_starved, opened)
        passage.layer = max(passage.layer, until)

    def finish(self, passage: Passage) -> NetworkOutput:
        """Decode a passage that all layers have run on; it is used up. Raises InputError where layers are left."""
        if passage.layer <= self.space.layers:
            raise InputError(f"layers {passage.layer} to {self.space.layers} have not run; advance the passage first")
        logits = passage.parts.decoder(passage.boxes[self.space.n_cells :], passage.padded_size)
        height, width = passage.image_size
        return NetworkOutput(logits[..., :height, :width], passage.gates.to(logits.device))

    def _advance_dense(self, passage: Passage) -> None:
        """Run every cell and path on the whole batch; a closed cell adds its input to keep."""
        space, boxes = self.space, passage.boxes
        everyone = np.arange(len(passage.gates))
        gates = []
        for index, cell in enumerate(self.cells):
            x = boxes[index].features(everyone)
            alphas = self.ask(cell, index, x)
            closed = (alphas.sum(dim=1) < OPEN_THRESHOLD).to(x.dtype)
            gates.append(alphas)
            h = cell(x)
            for offset, path in enumerate(range(*space.paths_from(index).indices(space.n_paths))):
                y = cell.transforms[cell.moves[offset]](h) * alphas[:, offset, None, None, None]
                if space.passes[path]:
                    y = y + x * closed[:, None, None, None]
                boxes[self.leads_to[path]].add(everyone, y)
        passage.gates, passage.layer = torch.cat(gates, dim=1), space.layers + 1

    def activations(self, cell: nn.Module, index: int, x: Tensor, forced: Tensor | None) -> Tensor:
        """Activations of a cell's paths, ``(n, path)``: forced where given; the gate runs on the images that ask it.

        They are on the CPU, wherever x is: all that is decided by them is decided there, so that a GPU is waited for
        once a cell.
        """
        if forced is None:
            return self.ask(cell, index, x).cpu()
        asks = forced.isnan()
        images = np.flatnonzero(asks.any(dim=1).numpy())
        if len(images) == 0:
            return forced
        asked = self.ask(cell, index, take(x, images)).cpu().to(forced.dtype)
        chosen = torch.where(take(asks, images), asked, take(forced, images))
        return forced.index_copy(0, torch.from_numpy(images), chosen)

    def ask(self, cell: nn.Module, index: int, x: Tensor) -> Tensor:
        """What a cell's gate gives, ``(n, path)``, exactly 0 where that is not above the path's threshold."""
        alphas = cell.gate(x)
        if self.open_threshold is None:
            return alphas
        return torch.where(alphas <= self.open_threshold[self.space.paths_from(index)], 0, alphas)

    def _padded(self, images: Tensor) -> Tensor:
        """Images with zeros at the bottom and right; raises InputError where they are no batch of images."""
        if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
            raise InputError(f"images of shape {tuple(images.shape)}; a batch (N, 3, H, W) is needed")
        height, width = images.shape[-2:]
        padded_height, padded_width = self.padded_size((height, width))
        if (padded_height, padded_width) == (height, width):
            return images  # padding by nothing would copy them
        return F.pad(images, (0, padded_width - width, 0, padded_height - height))

    def _parts(self, images: Tensor) -> Parts | RoutingNetwork:
        """What a passage runs through: this network, or its folded copy."""
        if self.execution not in EXECUTIONS:
            raise InputError(f"execution {self.execution!r}; valid: {', '.join(EXECUTIONS)}")
        if self.training or torch.is_grad_enabled() or self.execution not in ("folded", "captured"):
            return self
        if torch.jit.is_tracing() or torch._C._len_torch_dispatch_stack():
            return self  # a counter of operators looks on, and would not know these
        return self._folding.parts(self)

    def _cells_between(self, first: int, last: int) -> tuple[int, int]:
        """Positions of the first cell of layer `first` and of layer `last`."""
        return tuple(np.searchsorted(self.space.cells.layer, (first, last)).tolist())

    def _inboxes(self, x: Tensor, size: tuple[int, int], *, in_place: bool = False) -> list[Inbox]:
        """Empty inboxes of all cells, then of the decoder's scales, finest first."""
        shapes = [(len(x), channels, size[0] // stride, size[1] // stride) for channels, stride in self._cell_shapes]
        like = x.new_empty(0)  # so that no inbox keeps the stem's features alive
        return [Inbox(shape, like, in_place=in_place) for shape in shapes + shapes[-self.space.scales :]]

    def padded_size(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """(H, W) padded, bottom and right, to multiples of the coarsest stride (32)."""
        stride = int(self.space.cells.stride.max())
        return tuple(-(-int(n) // stride) * stride for n in image_size)

    def cell_sizes(self, image_size: tuple[int, int]) -> np.ndarray:
        """Height and width of each cell's features for an image size (H, W), ``(cell, 2)`` int64."""
        strides = self.space.cells.stride.to_numpy(np.int64)
        return np.asarray(self.padded_size(image_size))[None] // strides[:, None]

    def preprocess(self, rgb: np.ndarray) -> Tensor:
        """Normalise an image: ``(H, W, 3) uint8 RGB -> (3, H, W) float32``; raises InputError on anything else."""
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
            raise InputError(f"an image of shape {rgb.shape} and dtype {rgb.dtype}; (H, W, 3) uint8 RGB is needed")
        settings = self.config.normalization
        channels = rgb[..., ::-1] if settings.channels == "BGR" else rgb
        # Planes first: each is then one run of bytes, and converted several times as fast.
        values = torch.from_numpy(np.ascontiguousarray(channels.transpose(2, 0, 1))).float()
        mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (settings.mean, settings.std))
        return values.sub_(mean).div_(std)


def _initialise(module: nn.Module) -> None:
    """Kaiming fan-in for convolutions, and gates whose bias decides at first."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, Cell) and module.gate is not None:
        nn.init.normal_(module.gate.score.weight, std=0.01)
        nn.init.constant_(module.gate.score.bias, GATE_BIAS)
