"""The network of iteration 5, trained by jitted JAX on the CPU, to compare with.

Needs jax, which mnist-tui does not. Every step uses the same random batch, so nothing but the step is timed: forward
with batch statistics, backward, Adam, and the loss copied to the host, as a training loop needs it.

    python benchmarks/jax_iter5.py --steps 300        # one JSON object: median milliseconds a step
"""

import argparse
import json
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

Layer = tuple[jax.Array, jax.Array]
"""Weights and bias of a convolution or the linear layer, scale and shift of a batch norm."""

Weights = dict[str, Layer]

State = tuple[Weights, Weights, Weights, jax.Array]
"""Weights, Adam's two moments, and the number of steps taken."""

CHANNELS = {"conv1": (3, 1, 8), "conv2": (3, 8, 16), "conv3": (1, 16, 8), "conv4": (3, 8, 32), "conv5": (1, 32, 28)}


def initial_weights(key: jax.Array) -> Weights:
    """Weights of all layers by name; those of convolutions are HWIO (height, width, inputs, outputs)."""
    weights: Weights = {}
    for name, (size, inputs, outputs) in CHANNELS.items():
        key, layer_key = jax.random.split(key)
        bound = (size * size * inputs) ** -0.5
        shape = (size, size, inputs, outputs)
        weights[name] = (jax.random.uniform(layer_key, shape, minval=-bound, maxval=bound), jnp.zeros(outputs))
    for name, channels in (("norm1", 8), ("norm2", 16)):
        weights[name] = (jnp.ones(channels), jnp.zeros(channels))
    key, layer_key = jax.random.split(key)
    weights["linear"] = (jax.random.uniform(layer_key, (28 * 7 * 7, 10), minval=-0.027, maxval=0.027), jnp.zeros(10))
    return weights


def conv(images: jax.Array, layer: Layer, size: int) -> jax.Array:
    """A convolution over NHWC images that keeps their size."""
    padding = [(size // 2, size // 2)] * 2
    out = jax.lax.conv_general_dilated(images, layer[0], (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return out + layer[1]


def norm(images: jax.Array, layer: Layer) -> jax.Array:
    """Batch normalisation with the batch's own statistics, as in training."""
    mean, variance = images.mean((0, 1, 2)), images.var((0, 1, 2))
    return (images - mean) * jax.lax.rsqrt(variance + 1e-5) * layer[0] + layer[1]


def pool(images: jax.Array) -> jax.Array:
    """The maximum of each 2x2 pixels."""
    return jax.lax.reduce_window(images, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def loss(weights: Weights, images: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean cross-entropy of images float32 (N, 28, 28, 1) and labels int32 (N,)."""
    x = pool(jax.nn.relu(norm(conv(images, weights["conv1"], 3), weights["norm1"])))
    x = pool(jax.nn.relu(norm(conv(x, weights["conv2"], 3), weights["norm2"])))
    x = jax.nn.relu(conv(x, weights["conv3"], 1))
    x = jax.nn.relu(conv(x, weights["conv4"], 3))
    x = jax.nn.relu(conv(x, weights["conv5"], 1))
    logits = x.reshape(len(x), -1) @ weights["linear"][0] + weights["linear"][1]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()


@jax.jit
def step(state: State, images: jax.Array, labels: jax.Array) -> tuple[State, jax.Array]:
    """One Adam step (Kingma, Ba 2014, arXiv:1412.6980): the new state, and the loss."""
    weights, first, second, count = state
    value, gradient = jax.value_and_grad(loss)(weights, images, labels)
    count += 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
    rate = 0.002 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-8), weights, first, second)
    return (weights, first, second, count), value


def main() -> None:
    """Prints the median time of a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    images = jnp.asarray(random.standard_normal((options.batch_size, 28, 28, 1), dtype=np.float32))
    labels = jnp.asarray(random.integers(0, 10, options.batch_size, dtype=np.int32))
    weights = initial_weights(jax.random.key(0))
    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = (weights, zeros, zeros, jnp.zeros(()))
    seconds = []
    for _ in range(options.steps):
        started = time.perf_counter()
        state, value = step(state, images, labels)
        float(value)
        seconds.append(time.perf_counter() - started)
    median = statistics.median(seconds[len(seconds) // 10 :])
    print(json.dumps({"engine": f"jax {jax.__version__}", "ms_per_step": median * 1000, "loss": float(value)}))


if __name__ == "__main__":
    main()
