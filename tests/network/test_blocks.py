import torch
from torch.nn.functional import conv2d

from routeviz.network.blocks import ConvNorm


def test_a_strided_pointwise_convolution_is_torchs_own():
    block = ConvNorm(5, 3, 1, stride=2, relu=False).eval()
    torch.nn.init.normal_(block.conv.weight)
    for height, width in ((8, 12), (7, 9), (1, 1)):
        x = torch.randn(2, 5, height, width)
        wanted = conv2d(x, block.conv.weight, stride=2) / torch.sqrt(torch.tensor(1 + block.norm.eps))
        torch.testing.assert_close(block(x), wanted)


def test_other_convolutions_stride_themselves():
    block = ConvNorm(3, 4, 3, stride=2)
    assert block.conv.stride == (2, 2)
    assert block(torch.zeros(1, 3, 9, 13)).shape == (1, 4, 4, 6)


def test_narrow_strided_convolutions_train_in_channels_last():
    """Fewer channels than a vector holds: torch's own strided one overruns a buffer there, on some processors."""
    block = ConvNorm(4, 8, 1, stride=2).to(memory_format=torch.channels_last)
    for _ in range(20):
        x = torch.randn(2, 4, 16, 24).to(memory_format=torch.channels_last).requires_grad_()
        block(x).sum().backward()
    assert torch.isfinite(block.conv.weight.grad).all()
