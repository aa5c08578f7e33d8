"""What can go wrong with a Ray cluster and its actors."""

from __future__ import annotations

from pipeline.errors import PipelineError, SetupError


class RayUnreachableError(SetupError):
    """There is no Ray cluster to be joined at the address."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"can't join the Ray cluster at {address}: {reason}. Look with `ray status`; start a cluster with "
            "`ray start --head --port=6379`, or make this machine a node of one with `ray start --address=HOST:PORT` "
            "(docs/distributed.md)"
        )


class RayElsewhereError(SetupError):
    """The process is connected to another Ray cluster than the one that was asked for."""

    def __init__(self, address: str, connected: str) -> None:
        super().__init__(
            f"this process uses the Ray cluster at {connected} already, and can't join {address} beside it: Ray has "
            f"one connection per process. Ask for --ray-address {connected}, or use another process"
        )


class RayNodeDiffersError(PipelineError):
    """An actor would not play the bits that this machine would."""

    def __init__(self, node: str, differences: list[str]) -> None:
        super().__init__(
            f"Ray node {node} would give other results than this machine: {'; '.join(differences)}. Install the same "
            "versions on both, or take the node out of the cluster (`ray stop` there)"
        )


class RayActorsFailError(PipelineError):
    """Actors can't even say who they are."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Ray actors can't start: {reason}. Is 'cage2-pipeline[ray]' installed on every node, in the "
            "Python that runs `ray start`, and is the token the same everywhere (`ray get-auth-token`)?"
        )


class RayWithoutCpusError(PipelineError):
    """The cluster has no CPU that an actor could get."""

    def __init__(self, patience_s: float) -> None:
        super().__init__(
            f"the Ray cluster has had no CPU for {patience_s:.0f} s: add a machine with `ray start "
            "--address=HOST:PORT`, and look with `ray status`"
        )


class RayStoreError(PipelineError):
    """Weights can't be put where actors fetch them."""

    def __init__(self, version: int, reason: str) -> None:
        super().__init__(
            f"can't put weight version {version} into Ray's object store: {reason}. `ray memory` shows whether it is "
            "full; `ray start --object-store-memory=BYTES` gives it more, of /dev/shm"
        )
