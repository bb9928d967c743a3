"""Activation functions: all but `GLU` keep the shape, and only `PReLU` has parameters."""

from mnist_tui.errors import CallError
from mnist_tui.spec.layers.argument_types import Approximation, Count, Flag, Integer, Number, Positive
from mnist_tui.spec.layers.registry import LayerInfo, Shape, layer_type, register
from mnist_tui.spec.layers.shapes import axis_of, image_size


@layer_type
def ReLU(shape: Shape, inplace: Flag = False) -> LayerInfo:
    return LayerInfo(shape)


@layer_type
def Threshold(shape: Shape, threshold: Number, value: Number, inplace: Flag = False) -> LayerInfo:
    return LayerInfo(shape)


@layer_type
def LeakyReLU(shape: Shape, negative_slope: Number = 0.01, inplace: Flag = False) -> LayerInfo:
    return LayerInfo(shape)


@layer_type
def RReLU(shape: Shape, lower: Number = 1 / 8, upper: Number = 1 / 3, inplace: Flag = False) -> LayerInfo:
    if lower > upper:
        raise CallError("lower must be at most upper")
    return LayerInfo(shape)


@layer_type
def ELU(shape: Shape, alpha: Number = 1.0, inplace: Flag = False) -> LayerInfo:
    return LayerInfo(shape)


@layer_type
def CELU(shape: Shape, alpha: Number = 1.0, inplace: Flag = False) -> LayerInfo:
    if alpha == 0:
        raise CallError("alpha must not be 0")
    return LayerInfo(shape)


@layer_type
def Hardtanh(shape: Shape, min_val: Number = -1.0, max_val: Number = 1.0, inplace: Flag = False) -> LayerInfo:
    if min_val >= max_val:
        raise CallError("min_val must be less than max_val")
    return LayerInfo(shape)


@layer_type
def GELU(shape: Shape, approximate: Approximation = "none") -> LayerInfo:
    return LayerInfo(shape)


@layer_type
def Softplus(shape: Shape, beta: Positive = 1.0, threshold: Number = 20.0) -> LayerInfo:
    return LayerInfo(shape)


@layer_type
def Hardshrink(shape: Shape, lambd: Number = 0.5) -> LayerInfo:
    return LayerInfo(shape)


@layer_type
def Softshrink(shape: Shape, lambd: Number = 0.5) -> LayerInfo:
    if lambd < 0:
        raise CallError("lambd must be at least 0")
    return LayerInfo(shape)


@layer_type
def Sigmoid(shape: Shape) -> LayerInfo:
    return LayerInfo(shape)


@layer_type
def Softmax2d(shape: Shape) -> LayerInfo:
    image_size(shape)
    return LayerInfo(shape)


@layer_type
def PReLU(shape: Shape, num_parameters: Count = 1, init: Number = 0.25) -> LayerInfo:
    if num_parameters not in (1, shape[0]):
        raise CallError(f"num_parameters={num_parameters} must be 1 or the {shape[0]} channels of the input")
    return LayerInfo(shape, parameters=num_parameters)


@layer_type
def GLU(shape: Shape, dim: Integer = -1) -> LayerInfo:
    axis = axis_of(shape, dim)
    if shape[axis] % 2:
        raise CallError(f"halves dimension {dim}, which has an odd size of {shape[axis]}")
    return LayerInfo((*shape[:axis], shape[axis] // 2, *shape[axis + 1 :]))


@layer_type
def Softmax(shape: Shape, dim: Integer) -> LayerInfo:
    axis_of(shape, dim)
    return LayerInfo(shape)


register(ReLU, "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid")
register(Sigmoid, "Tanh", "Tanhshrink", "Softsign", "LogSigmoid")
register(Softmax, "LogSoftmax", "Softmin")
