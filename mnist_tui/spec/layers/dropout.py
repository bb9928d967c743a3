"""Dropout."""

from mnist_tui.spec.layers.argument_types import Flag, Probability
from mnist_tui.spec.layers.registry import LayerInfo, Shape, layer_type, register
from mnist_tui.spec.layers.shapes import image_size


@layer_type
def Dropout(shape: Shape, p: Probability = 0.5, inplace: Flag = False) -> LayerInfo:
    return LayerInfo(shape)


@layer_type
def Dropout2d(shape: Shape, p: Probability = 0.5, inplace: Flag = False) -> LayerInfo:
    image_size(shape)  # On flat input PyTorch warns, then drops whole images.
    return LayerInfo(shape)


register(Dropout, "AlphaDropout")
register(Dropout2d, "FeatureAlphaDropout")
