"""The registry of the forms of logs that are understood.

A new form is a file with `recognise` and `read`, which yields a `Reading` for each line that tells something, and a
line in `FORMS`. Which training and which epoch a reading belongs to is found for all forms alike.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mnist_tui.import_logs import keras_form, table_form, tensorboard_form, text_form
from mnist_tui.import_logs.readings import Log, Reading


@dataclass(frozen=True)
class LogForm:
    """A form of log."""

    name: str
    about: str
    """What writes it."""
    recognise: Callable[[Log], bool]
    read: Callable[[Log], Iterator[Reading]]
    """Yields what the lines tell; raises `LogError` where the log cannot be told as epochs."""
    train_figures: str = "as the log has them"
    """What the training figures are, where no progress bar shows them."""


FORMS = (
    LogForm(
        "TensorBoard",
        "TensorBoard's event files, or a folder of them",
        tensorboard_form.recognise,
        tensorboard_form.read,
    ),
    LogForm(
        "table",
        "tables with a column `epoch`: CSV of Lightning and Keras, Markdown",
        table_form.recognise,
        table_form.read,
    ),
    LogForm(
        "Keras",
        "what Keras's fit prints",
        keras_form.recognise,
        keras_form.read,
        "means over the epoch, while the weights change",
    ),
    LogForm(
        "text",
        "lines with an epoch, losses and accuracies, also behind tqdm's bars",
        text_form.recognise,
        text_form.read,
    ),
)
"""Every form; the first that recognises a log reads it."""


def form_of(log: Log) -> LogForm | None:
    """The form of a log; None where it is of no known form."""
    return next((form for form in FORMS if form.recognise(log)), None)
