"""Checks and arithmetic of input shapes that several families of layers share; they raise `CallError`."""

from mnist_tui.errors import CallError
from mnist_tui.spec.layers.registry import Shape


def image_size(shape: Shape) -> tuple[int, int, int]:
    """Channels, height and width of an image."""
    if len(shape) != 3:
        raise CallError(f"needs an image (channels, height, width), but its input has the shape {list(shape)}")
    return shape[0], shape[1], shape[2]


def check_size(argument: str, given: int | None, inferred: int) -> int:
    """The size of the input, which an argument may state and must state rightly."""
    if given is not None and given != inferred:
        raise CallError(f"{argument}={given}, but the input has {inferred}; leave {argument} out and it is inferred")
    return inferred


def window_spans(kernel_size: tuple[int, int], dilation: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns from the first to the last element of a dilated kernel."""
    return dilation[0] * (kernel_size[0] - 1) + 1, dilation[1] * (kernel_size[1] - 1) + 1


def window_count(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False) -> int:
    """The number of window positions along one axis, as PyTorch counts them."""
    span = dilation * (kernel - 1) + 1
    room = size + 2 * padding - span + (stride - 1 if ceil_mode else 0)
    if room < 0:
        raise CallError(f"a window of {span} does not fit the {size} pixels of the input (padding {padding})")
    count = room // stride + 1
    # A last window that would start in the right padding is left out.
    return count - 1 if ceil_mode and (count - 1) * stride >= size + padding else count


def axis_of(shape: Shape, dim: int) -> int:
    """The index in `shape` of PyTorch's dimension `dim`, which counts the batch as 0."""
    axis = dim - 1 if dim > 0 else len(shape) + dim
    if dim == 0 or not 0 <= axis < len(shape):
        raise CallError(f"dim={dim} is no dimension of {list(shape)}; 1 is the first after the batch")
    return axis
