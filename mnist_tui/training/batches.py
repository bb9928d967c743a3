"""An epoch's training batches: gathered, augmented and normalised before the steps that take them.

Batches are made in chunks of several, since for 64 small images the calls cost more than the pixels. On the CPU the
next chunk is prefetched in a thread; on a GPU the calls are asynchronous anyway.
"""

from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from mnist_tui.training.augment import Augmentation
from mnist_tui.training.data import Images
from mnist_tui.training.environment import cores

CHUNK_IMAGES = 512
"""Images in a chunk, rounded down to whole batches; more do not fit the processor's cache (measured)."""
DEVICE_CHUNK_IMAGES = 2**14
"""The same on a GPU, where each call costs more than the pixels of a batch; not measured."""


def normalise(pixels: Tensor, mean: float, std: float) -> Tensor:
    """(pixels / 255 - mean) / std, as float32 in channels_last; pixels (N, C, H, W) of any dtype, 0 to 255."""
    scaled = pixels.float().mul(1 / (255 * std)).sub_(mean / std)
    return scaled.contiguous(memory_format=torch.channels_last)


class Batches:
    """The training batches of a run: `begin` an epoch, then `take` one batch after the other."""

    def __init__(
        self, images: Images, batch_size: int, normalization: tuple[float, float], augmentation: Augmentation | None
    ) -> None:
        self.images = images
        self.batch_size = batch_size
        self.normalization = normalization
        self.augmentation = augmentation
        chunk_images = CHUNK_IMAGES if images.labels.device.type == "cpu" else DEVICE_CHUNK_IMAGES
        self._chunk_size = batch_size * max(1, chunk_images // batch_size)
        self._prefetcher = ThreadPoolExecutor(1, "batches") if self._can_prefetch() else None
        self._next: Future[tuple[Tensor, Tensor]] | None = None
        self._chunk: tuple[Tensor, Tensor] | None = None
        self._first = 0
        self._order = torch.empty(0, dtype=torch.int64)
        self._params = torch.empty(0, 0)

    def _can_prefetch(self) -> bool:
        """Whether chunks are made in a thread: on the CPU, with a core to spare.

        Not with transforms that run image by image: they set torch's global random state, which dropout uses.
        """
        has_core = self.images.labels.device.type == "cpu" and cores() > torch.get_num_threads()
        return has_core and not (self.augmentation and self.augmentation.slow)

    def begin(self, order: Tensor, params: Tensor, first: int) -> None:
        """Sets the order int64 (N,) of an epoch's images, their augmentation parameters (N, K), and the first image.

        Chunks do not depend on `first`, so a resumed epoch computes the same numbers.
        """
        device = self.images.labels.device
        self._order, self._params = order.to(device), params.to(device)
        self._first = first
        self._chunk = None
        self._next = self._prefetch(first // self._chunk_size)

    def take(self) -> tuple[Tensor, Tensor]:
        """The next batch: inputs float32 (B, C, H, W), channels_last, and labels int64 (B,)."""
        number, offset = divmod(self._first, self._chunk_size)
        if self._chunk is None or offset == 0:
            self._chunk = self._next.result() if self._next is not None else self._make_chunk(number)
            self._next = self._prefetch(number + 1)
        inputs, labels = (part[offset : offset + self.batch_size] for part in self._chunk)
        self._first += len(labels)
        return inputs, labels

    def close(self) -> None:
        """Ends the prefetching thread."""
        if self._prefetcher is not None:
            self._prefetcher.shutdown(cancel_futures=True)

    def _prefetch(self, number: int) -> "Future[tuple[Tensor, Tensor]] | None":
        if self._prefetcher is None or number * self._chunk_size >= len(self._order):
            return None
        return self._prefetcher.submit(self._make_chunk, number)

    @torch.no_grad()
    def _make_chunk(self, number: int) -> tuple[Tensor, Tensor]:
        """The chunk of the given number, from 0."""
        part = slice(number * self._chunk_size, (number + 1) * self._chunk_size)
        index = self._order[part]
        pixels = self.images.pixels[index]
        if self.augmentation is not None:
            pixels = self.augmentation(pixels.float(), self._params[part])
        return normalise(pixels, *self.normalization), self.images.labels[index]
