"""What Ray raises, in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mnist_tui.errors import ClusterError, MnistTuiError
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
        cause = error.cause or error
        hint = "" if isinstance(cause, OSError) else "; each node needs the same versions of mnist-tui, Python and Ray"
        return f"its task failed: {_first_line(cause)}{hint}", False
    except exceptions.RayError as error:
        return f"its task failed: {_first_line(error)}", True
    return "", False


@contextmanager
def lost_connection_as_error(address: str) -> Iterator[None]:
    """Raises `ClusterError` for what Ray raises where the cluster is gone."""
    from ray.exceptions import RayError

    try:
        yield
    except (RayError, ConnectionError) as error:
        why = _first_line(error)
        raise ClusterError(
            f"the connection to the Ray cluster {address} was lost: {why}; call it again, and it goes on"
        ) from None


@contextmanager
def unfit_nodes_as_error(address: str) -> Iterator[None]:
    """Raises `ClusterError` for whatever is raised where a node cannot make objects of this program."""
    try:
        yield
    except MnistTuiError:
        raise
    except Exception:
        raise ClusterError(
            f"the nodes of the Ray cluster {address} cannot run this program; "
            "each needs the same versions of mnist-tui, Python and Ray"
        ) from None


def _first_line(error: BaseException) -> str:
    """What an error says before it goes into details."""
    return clean_line(str(error).strip().partition("\n")[0], 300)
