"""Two layers that say what torch's say, and are quicker to learn through on a processor.

There a training spends as long in them as in many of its convolutions (docs/experiments.md).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from activeseg.model.masks import MOST_CUT, cut_mask

__all__ = ["QuickDropout", "QuickPReLU", "quicken"]


class _Slope(torch.autograd.Function):
    """PReLU of one slope; torch's own way back takes several times as long."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
        """The values, those below 0 times the slope."""
        ctx.save_for_backward(values, slope)
        return nn.functional.prelu(values, slope.to(values.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Gradients of the values and of the slope; that one is summed in single precision."""
        (grad,) = grads
        values, slope = ctx.saved_tensors
        of_values = torch.ops.aten.leaky_relu_backward(grad, values, slope.item(), False)
        of_slope = (grad * values.clamp(max=0)).sum(dtype=slope.dtype).view(1)
        return of_values, of_slope


class QuickPReLU(nn.PReLU):
    """`nn.PReLU` of one slope for all channels."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """As `nn.PReLU`."""
        if values.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(values)
        answer: torch.Tensor = _Slope.apply(values, self.weight)  # type: ignore[no-untyped-call]
        return answer


class QuickDropout(nn.Dropout):
    """`nn.Dropout` that cuts its masks out of one that was drawn before (`masks`)."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """As `nn.Dropout`; where a mask is cut, torch's random state says."""
        learning = self.training and 0 < self.p < 1 and values.device.type == "cpu"
        if not learning or values.numel() > MOST_CUT:
            return super().forward(values)
        mask = cut_mask(self.p, values, lambda places: int(torch.randint(places, ())))
        return values * mask


def quicken(network: nn.Module) -> None:
    """Put these layers in place of torch's; names, weights, chances and mode are as they were."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.PReLU and child.num_parameters == 1:
                quick = QuickPReLU()
                quick.weight = child.weight
                setattr(module, name, quick.train(child.training))
            elif type(child) is nn.Dropout:
                setattr(module, name, QuickDropout(child.p).train(child.training))
