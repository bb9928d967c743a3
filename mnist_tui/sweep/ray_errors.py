"""What Ray raises, in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mnist_tui.errors import ClusterError
from mnist_tui.text import clean_line


def end_of(reference: Any) -> tuple[str, bool]:
    """Why a task ended without a `JobEnded`, and whether its process has died; "" where it was not begun."""
    import ray
    from ray import exceptions

    try:
        ray.get(reference)
    except exceptions.TaskCancelledError:
        return "", False
    except exceptions.OutOfMemoryError:
        return "its process was killed, since its node was out of memory", True
    except (exceptions.NodeDiedError, exceptions.OwnerDiedError, exceptions.ObjectLostError):
        return "its node died", True
    except exceptions.WorkerCrashedError:
        return "its process died", True
    except exceptions.RayTaskError as error:
        cause = clean_line(str(error.cause or error), 300)
        return f"its task failed: {cause}; each node needs this version of mnist-tui and of Ray", False
    except exceptions.RayError as error:
        return f"its task failed: {clean_line(str(error), 300)}", True
    return "", False


@contextmanager
def lost_connection_as_error(address: str) -> Iterator[None]:
    """Raises `ClusterError` for what Ray raises where the cluster is gone."""
    from ray.exceptions import RayError

    try:
        yield
    except (RayError, ConnectionError) as error:
        why = clean_line(str(error), 200)
        raise ClusterError(
            f"the connection to the Ray cluster {address} was lost: {why}; call it again, and it goes on"
        ) from None
