"""A network made ready for inference: norms folded into convolutions, channels-last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from routeviz.network.blocks import ConvNorm
from routeviz.network.inbox import take

if TYPE_CHECKING:
    from routeviz.network.network import RoutingNetwork

CHANNELS_LAST = torch.channels_last

STEM_VALUES = 2**20
"""Values at stride 2 that the stem computes at a time on a CPU: the next convolution finds them in the cache."""


class Parts(NamedTuple):
    """What a passage runs through; a network is the same three parts as they were trained."""

    stem: nn.Module
    cells: nn.ModuleList
    decoder: nn.Module


class FoldedConv(nn.Module):
    """A convolution with bias and, where asked, a ReLU behind it; channels-last.

    A pointwise one is a matrix product, which is quicker than torch's convolution at every size that was measured
    (`analysis/benchmarks/inference.py`). Bias, sum and ReLU are passes of their own: oneDNN's ReLU within a convolution
    makes 0 of NaN, which is to be seen, and its reordered weights take twenty times as long for some sizes of image.

    Parameters
    ----------
    conv : nn.Conv2d
        Its weights are copied.
    relu : bool
    every : int
        Stride at which the input is read before the convolution.
    """

    def __init__(self, conv: nn.Conv2d, *, relu: bool = False, every: int = 1):
        super().__init__()
        self.every, self.relu = every, relu
        self.place = conv.stride, conv.padding, conv.dilation, conv.groups
        self.bias = None if conv.bias is None else conv.bias.detach().clone()
        self.weight = conv.weight.detach().clone(memory_format=CHANNELS_LAST)
        pointwise = self.place == ((1, 1), (0, 0), (1, 1), 1) and conv.kernel_size == (1, 1)
        self.matrix = self.weight.flatten(1).T.contiguous() if pointwise else None

    def forward(self, x: Tensor) -> Tensor:
        return self._ready(self._conv(self._read(x)))

    def plus(self, x: Tensor, other: Tensor, *, spend: bool = False) -> Tensor:
        """``relu(conv(x) + other)`` of a pointwise one; written over `other` where that may be spent."""
        rows, to = _rows(x), _rows(other)
        if spend and x.dtype == other.dtype == self.matrix.dtype:  # under autocast they differ
            total = to.addmm_(rows, self.matrix)
        else:
            total = torch.addmm(to, rows, self.matrix)
        return self._features(total, x.shape).relu_()

    def times(self, x: Tensor, activations: Tensor, *, read: bool = True) -> Tensor:
        """``conv(x) * activations`` of a pointwise one, for ``activations (N, 1, 1, 1)`` of at least 0.

        Those of a single image are multiplied into the weights, which are fewer than values. ``read=False`` says that x
        has been read at the stride already.
        """
        x = self._read(x) if read else x
        if len(x) > 1:
            return self._ready(self._conv(x)).mul_(activations.to(x.dtype))
        by = activations.view(1, 1)
        return self._ready(self._features(torch.mm(_rows(x), self.matrix * by), x.shape, by))

    def at_stride(self, x: Tensor, stride: int) -> Tensor:
        """What is left of a convolution of stride 1 where its output is read at a stride."""
        _, *rest = self.place
        return self._ready(F.conv2d(x, self.weight, self.bias, stride, *rest))

    def _read(self, x: Tensor) -> Tensor:
        if self.every == 1:
            return x
        return x[..., :: self.every, :: self.every].contiguous(memory_format=CHANNELS_LAST)

    def _conv(self, x: Tensor) -> Tensor:
        if self.matrix is None:
            return F.conv2d(x, self.weight, self.bias, *self.place)
        return self._features(torch.mm(_rows(x), self.matrix), x.shape)

    def _features(self, rows: Tensor, shape: torch.Size, by: Tensor | None = None) -> Tensor:
        """Rows with the bias added in place, times `by`: ``(N·H·W, C') -> (N, C', H, W)``, for an input of a shape."""
        if self.bias is not None:
            rows = rows.add_(self.bias if by is None else self.bias * by)
        n, _, height, width = shape
        return rows.view(n, height, width, -1).permute(0, 3, 1, 2)

    def _ready(self, y: Tensor) -> Tensor:
        return y.relu_() if self.relu else y


def _rows(x: Tensor) -> Tensor:
    """``(N, C, H, W) -> (N·H·W, C)``, the same memory where x is channels-last."""
    return x.permute(0, 2, 3, 1).flatten(0, 2)


class FoldedTransform(nn.Sequential):
    """What carries relu(h) along a path up or down: one convolution, and the resizing where it goes up."""

    def forward(self, h: Tensor, activations: Tensor | None = None, *, read: bool = True) -> Tensor:
        """``(N, C, H, W) -> (N, C', H', W')``, times activations where given; see `FoldedConv.times`."""
        convolution, *rest = self
        y = convolution(h) if activations is None else convolution.times(h, activations, read=read)
        for module in rest:
            y = module(y)
        return y


class FoldedCell(nn.Module):
    """A cell that gives relu(h), which is what each of its transforms begins with, while h is at hand."""

    def __init__(self, cell: nn.Module):
        super().__init__()
        self.moves, self.gate = cell.moves, folded(cell.gate)
        self.operation = folded(cell.operation)
        # Without their ReLU. What is left of "keep" is nothing, and of "down" one convolution.
        self.transforms = nn.ModuleDict(
            {
                move: FoldedTransform(*folded(whole[1:])) if move != "keep" else nn.Identity()
                for move, whole in cell.transforms.items()
            }
        )
        # "keep" comes last, as it gives relu(h) itself away.
        self._order = sorted(range(len(self.moves)), key=lambda offset: self.moves[offset] == "keep")

    def forward(self, x: Tensor, *, every: int = 1, spend: bool = False) -> Tensor:
        """relu(h), at a stride where asked, and in x's memory where that may be: ``(N, C, H, W) -> (N, C, H', W')``."""
        first, second = self.operation
        z = first(x)
        if every == 1:
            return second.pointwise.plus(second.depthwise(z), x, spend=spend)
        return second.pointwise.plus(second.depthwise.at_stride(z, every), x[..., ::every, ::every])

    def send(
        self, x: Tensor, activations: Tensor, opens: np.ndarray, *, spend: bool = False
    ) -> Iterator[tuple[int, np.ndarray, Tensor, Tensor | None]]:
        """As `Cell.send`, in another order; where only "down" is open, h is computed where that reads it."""
        used = [move for move, is_open in zip(self.moves, opens.any(axis=0), strict=True) if is_open]
        every = self.transforms["down"][0].every if used == ["down"] else 1
        h = self(x, every=every, spend=spend)
        for offset in self._order:
            chosen, move = np.flatnonzero(opens[:, offset]), self.moves[offset]
            if len(chosen) == 0:
                continue
            part, activation = take(h, chosen), take(activations, chosen)[:, offset, None, None, None]
            if move == "keep":
                yield offset, chosen, part, activation
                continue
            yield offset, chosen, self.transforms[move](part, activation, read=every == 1), None


class FoldedStem(nn.Sequential):
    """The stem, channels-last; on a CPU image by image in bands of rows.

    Its values at stride 2 are the largest of a pass. Whole, they leave the cache between its convolutions, and so much
    memory is asked for that the system takes it back after each pass and hands it out anew, page by page.
    """

    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=CHANNELS_LAST)
        if x.is_cuda:
            return super().forward(x)
        height, width = (n // 4 for n in x.shape[-2:])
        at_once = max(STEM_VALUES // (4 * width * self[0].weight.shape[0]), 1)
        out = x.new_empty(len(x), height, width, self[2].pointwise.matrix.shape[1])
        for image, to in zip(x.split(1), out, strict=True):
            for first in range(0, height, at_once):
                last = min(first + at_once, height)
                to[first:last] = self._band(image, first, last)[0].permute(1, 2, 0)
        return out.permute(0, 3, 1, 2)

    def _band(self, image: Tensor, first: int, last: int) -> Tensor:
        """Rows `first` to `last` (excluded) at stride 4, ``(1, 3, H, W) -> (1, C, last - first, W/4)``.

        Convolutions pad each band as if it were an image; rows that saw such padding inside an image are left out.
        """
        whole, second, third = self
        rows = image.shape[-2] // 2 - 1  # at stride 2
        above, below = max(2 * first - 2, 0), min(2 * last, rows)  # that the last convolution reads
        start, end = max(above - 1, 0), min(below + 1, rows)  # that the one before it reads
        y = whole(image[:, :, 2 * start : 2 * end + 1])
        y = second.pointwise(second.depthwise(y)[:, :, above - start : below - start])
        return third.pointwise(third.depthwise(y)[:, :, int(first > 0) :])


def folded(module: nn.Module | None) -> nn.Module | None:
    """Copy a module with every convolution in it, and the norm and ReLU behind it, made one `FoldedConv`."""
    if isinstance(module, ConvNorm):
        relu = isinstance(module.relu, nn.ReLU)
        return FoldedConv(fuse_conv_bn_eval(module.conv, module.norm), relu=relu, every=module.every)
    if isinstance(module, nn.Conv2d):
        return FoldedConv(module)
    if module is None or not module._modules:
        return module
    copy = module.__new__(type(module))
    copy.__dict__ = module.__dict__ | {"_modules": {name: folded(child) for name, child in module._modules.items()}}
    return copy


class Folding:
    """Keeps a network's folded parts as long as its weights stay what they were.

    They are made at the first use and again after any change of the weights: by a training step, `load_state_dict`,
    `to`, or an assignment. What is compared are the tensors themselves and torch's counts of writes to them, so that
    only a write behind torch's back (through ``.data`` or NumPy) goes unnoticed.
    """

    def __init__(self) -> None:
        self._kept: tuple[list[tuple[Tensor, int]], Parts] | None = None

    def parts(self, net: RoutingNetwork) -> Parts | RoutingNetwork:
        """The network's parts, folded; the network itself where hooks look on, or weights keep no count of writes."""
        tensors = _tensors(net)
        if tensors is None:
            return net
        kept = self._kept  # read once: another thread may fold anew meanwhile
        if kept is None or not _unchanged(kept[0], tensors):
            if any(tensor.is_inference() for tensor in tensors):
                return net
            with torch.no_grad():
                stem = FoldedStem(*(folded(part) for part in net.stem))
                parts = Parts(stem, nn.ModuleList(FoldedCell(cell) for cell in net.cells), folded(net.decoder))
            self._kept = kept = ([(tensor, tensor._version) for tensor in tensors], parts)
        return kept[1]

    def __reduce__(self) -> tuple:
        return Folding, ()  # a copied or unpickled network folds for itself


def _tensors(net: nn.Module) -> list[Tensor] | None:
    """All parameters and buffers, None where a part has a hook; `net.parameters()` takes ten times as long."""
    found, rest = [], [net]
    while rest:
        module = rest.pop()
        if module is not net and (module._forward_hooks or module._forward_pre_hooks):
            return None
        found += [*module._parameters.values(), *module._buffers.values()]
        rest += module._modules.values()
        rest = [child for child in rest if child is not None] if None in rest else rest
    return [tensor for tensor in found if tensor is not None]


def _unchanged(kept: list[tuple[Tensor, int]], tensors: list[Tensor]) -> bool:
    return len(kept) == len(tensors) and all(
        was is tensor and version == tensor._version for (was, version), tensor in zip(kept, tensors, strict=True)
    )
