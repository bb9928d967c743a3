"""The parts of a run's spec beside its network: how it is trained, what it is judged by, what its author reported."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    field_validator,
    model_validator,
)
from pydantic_core import core_schema

from mnist_tui.spec.calls import Call, parse

MAX_BATCH = 60_000
"""Images of the largest batch."""
MAX_SEED = 2**32 - 1
"""`numpy.random.seed` takes none that is larger."""


def _is_unset(value: object) -> bool:
    """Whether a field that version 0.1 did not know is left out where a recipe is written.

    So a recipe without it is the same text as there, for checkpoints and comparisons.
    """
    return not value


def _read_call(value: object) -> Call:
    if isinstance(value, Call):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a call in quotes, such as Adam(lr=0.002)")
    return parse(value)


class _CallText:
    """How pydantic reads and writes a `Call`: as its text."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _read_call, serialization=core_schema.to_string_ser_schema()
        )


CallField = Annotated[Call, _CallText]
Knob = StrictBool | StrictInt | StrictFloat
Fraction01 = Annotated[float, Field(ge=0, le=1)]


class Frozen(BaseModel):
    """Settings that refuse unknown keys, numbers that are not finite, and changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)


class TrainSpec(Frozen):
    """The recipe: everything about the training that is not the network."""

    epochs: StrictInt = Field(default=20, ge=1, le=10_000)
    """Passes over the training images."""
    batch_size: StrictInt = Field(default=64, ge=1, le=MAX_BATCH)
    """Images per optimizer step; the last batch of an epoch may be smaller."""
    eval_batch_size: StrictInt = Field(default=250, ge=1, le=MAX_BATCH)
    """Images per evaluation step; it changes the speed, not the result."""
    optimizer: CallField = parse("Adam(lr=0.001)")
    """A call of torch.optim, without the parameters."""
    no_decay: tuple[Literal["norm", "bias"], ...] = Field(default=(), exclude_if=_is_unset)
    """Weights without weight decay: "norm", scale and shift of all normalization layers; "bias", all biases."""
    average: CallField | None = Field(default=None, exclude_if=_is_unset)
    """EMA(decay=0.999): the moving average of the weights over all steps, which is then evaluated, saved and used."""
    scheduler: CallField | None = None
    """A call of torch.optim.lr_scheduler, without the optimizer; its arguments may use `epochs`, `steps_per_epoch`."""
    scheduler_step: Literal["auto", "batch", "epoch", "burst"] = "auto"
    """When the scheduler steps. auto: as PyTorch means each one; burst: a whole epoch's batch steps at its end."""
    loss: CallField = parse("CrossEntropyLoss()")
    """A call of torch.nn: CrossEntropyLoss or NLLLoss."""
    augment: tuple[CallField, ...] = ()
    """Calls of torchvision.transforms.v2 on images of the data set's size, applied to training images only."""
    mixup: Annotated[float, Field(gt=0, le=100)] | None = Field(default=None, exclude_if=_is_unset)
    """alpha of mixup: images and labels are mixed with others of their batch, in shares from Beta(alpha, alpha)."""
    normalize: tuple[float, Annotated[float, Field(gt=0)]] = (0.1307, 0.3081)
    """Mean and standard deviation that pixels in 0..1 are normalised with; without it those of the data set."""
    validation_images: StrictInt = Field(default=0, ge=0)
    """Images taken out of the training images, by the seed, to choose the best epoch on."""
    seed: StrictInt = Field(default=0, ge=0, le=MAX_SEED)
    """Decides the initial weights, the split, the order of the images, augmentation and dropout."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: forward and backward under autocast; weights stay float32."""
    clip_grad_norm: Annotated[float, Field(gt=0)] | None = None
    """The gradient's largest allowed 2-norm."""
    patience: Annotated[StrictInt, Field(ge=1)] | None = None
    """Epochs without a better validation (without a split: test) accuracy after which the run stops."""
    stop_at_accuracy: Annotated[float, Field(gt=0, le=1)] | None = None
    """The validation (without a split: test) accuracy at which the run stops."""

    @field_validator("no_decay")
    @classmethod
    def _sort_words(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        """Each word once, in the order of the declaration: the same weights are the same recipe."""
        return tuple(word for word in ("norm", "bias") if word in words)


OPTIONAL = frozenset(name for name, field in TrainSpec.model_fields.items() if field.exclude_if)
"""Fields of the recipe that are written only where they have a value."""


class Target(Frozen):
    """The target of a run: the conditions that it is judged by; all are optional."""

    parameters: Annotated[StrictInt, Field(ge=1)] | None = None
    """The network must have fewer parameters than this."""
    test_accuracy: Fraction01 | None = None
    """The lowest accuracy on the test images, a fraction."""
    last_epochs: Annotated[StrictInt, Field(ge=1)] | None = None
    """The number of last epochs that must reach the accuracy; without it, the best epoch must."""
    rule: Literal["each", "mean"] | None = None
    """With `last_epochs`: each of them must reach the accuracy (without a rule too), or their mean must."""
    epochs: Annotated[StrictInt, Field(ge=1)] | None = None
    """The most epochs that the run may take."""

    @property
    def percent_text(self) -> str:
        """The accuracy in percent, with two digits where the second is not 0: `99.4`, `99.47`; "" without one."""
        return "" if self.test_accuracy is None else f"{100 * self.test_accuracy:.2f}".removesuffix("0")

    @model_validator(mode="after")
    def _check_rule(self) -> Self:
        if self.rule is not None and self.last_epochs is None:
            raise ValueError("rule needs last_epochs: in how many last epochs?")
        return self


TEST_IMAGES = "10,000 test images"
"""What a preset says of a figure that was measured as ours are."""


class Reported(Frozen):
    """The numbers that the author of a preset published."""

    parameters: Annotated[StrictInt, Field(ge=1)] | None = None
    accuracy: Fraction01 | None = None
    """In the best epoch, a fraction."""
    epoch: Annotated[StrictInt, Field(ge=1)] | None = None
    """The best epoch."""
    last_accuracy: Fraction01 | None = None
    """In the last epoch, a fraction."""
    train_accuracy: Fraction01 | None = None
    """The best accuracy over an epoch's batches in train mode, a fraction."""
    measured_on: str = TEST_IMAGES
    """The images that `accuracy` was measured on."""
    notes: tuple[str, ...] = ()
    """Where paper and code disagree, and which of them this preset follows."""

    @property
    def is_on_test_images(self) -> bool:
        """Whether `accuracy` was measured on the images that runs are tested on."""
        return self.measured_on == TEST_IMAGES
