"""The modules of a user's model, by the names that its author gave them."""

from __future__ import annotations

from torch import nn

from routeviz.errors import InputError

COMPILED = "_orig_mod"
"""Where `torch.compile` keeps the module that it was given."""

SHOWN = 8


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside `torch.compile` and DistributedDataParallel.

    Raises
    ------
    InputError
        For what is no module, and for DataParallel, which runs copies of the model, one in each thread.
    """
    if not isinstance(model, nn.Module):
        raise InputError(f"a model of type {type(model).__name__}; give a torch.nn.Module")
    if isinstance(model, nn.DataParallel):
        raise InputError(
            "DataParallel runs copies of the model in threads, whose gates cannot be told apart; "
            "give model.module, or use DistributedDataParallel"
        )
    if isinstance(model, nn.parallel.DistributedDataParallel):
        return unwrapped(model.module)
    return unwrapped(getattr(model, COMPILED)) if hasattr(model, COMPILED) else model


def is_compiled(model: nn.Module) -> bool:
    """Whether the model or a part of it was compiled: compiled code passes by hooks that were added to it later."""
    return any(hasattr(part, COMPILED) or part._compiled_call_impl is not None for part in model.modules())


def find_module(model: nn.Module, wanted: str | nn.Module) -> nn.Module:
    """A part of an unwrapped model by name (``""`` is the model), or the part itself.

    Raises
    ------
    InputError
        If the model has no such part.
    """
    named = {_plain(name): part for name, part in model.named_modules(remove_duplicate=False)}
    if isinstance(wanted, nn.Module):
        inside = unwrapped(wanted)
        if not any(part is inside for part in named.values()):
            raise InputError(f"a {type(wanted).__name__} that is not part of the model; give one of its modules")
        return inside
    if wanted not in named:
        # What is called alike, else the first.
        last = str(wanted).rsplit(".", 1)[-1]
        alike = [name for name in named if name.rsplit(".", 1)[-1] == last] or [name for name in named if name]
        more = ", ..." if len(alike) > SHOWN else ""
        raise InputError(f"the model has no module {wanted!r}; it has {', '.join(alike[:SHOWN])}{more}")
    return unwrapped(named[wanted])


def _plain(name: str) -> str:
    return ".".join(part for part in name.split(".") if part != COMPILED)
