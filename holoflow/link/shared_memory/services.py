"""The iceoryx2 services of links: one for each output port."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from pathlib import Path
from typing import Any, Final

from holoflow.core.errors import HoloflowError, no_memory, optional, require_descriptors
from holoflow.link.shared_memory.memory import MEMORY, claim_small, free, prefix

HELD: Final = 8
"""Messages that an input may keep in addition to those in its queue before they are copied."""
LOANS: Final = 16
"""Arrays of an output that may be in shared memory at the same time."""
LEAST: Final = 4 << 20
"""Bytes that iceoryx2's own bookkeeping may take."""

INITIAL: Final = 4096
"""Bytes of the largest message that fits from the start."""

_SLACK = 2
_PATIENCE = 5.0
"""Seconds that creating a service may take: another process may be cleaning up after a crash."""


class Services:
    """The services of one process."""

    def __init__(self, folder: Path, run: str) -> None:
        """Keep all files in `folder`, except the memory itself, which is named after `run`.

        Raises:
            HoloflowError: There is no shared memory.
        """
        self.prefix = prefix(run)
        """Prefix of the names of all shared memory of the run."""
        self._iox: Any = optional("iceoryx2", "shared-memory")
        self._iox.set_log_level_from_env_or(self._iox.LogLevel.Fatal)  # errors come as exceptions
        _require_room()
        config = self._iox.config.default()
        config.global_cfg.prefix = self._iox.FileName.new(prefix(run))
        config.global_cfg.root_path = self._iox.Path.new(str(folder / "iceoryx2"))
        (folder / "iceoryx2").mkdir(mode=0o700, exist_ok=True)
        builder = self._iox.NodeBuilder.new().config(config)
        builder = builder.signal_handling_mode(self._iox.SignalHandlingMode.Disabled)
        try:
            self._node = builder.create(self._iox.ServiceType.Ipc)
        except self._iox.NodeCreationFailure as error:
            require_descriptors()
            raise HoloflowError(f"no shared memory in {MEMORY} and {folder}: {error}") from error
        self._unopened: dict[str, float] = {}
        """Deadlines until which services that exist but cannot be opened are retried."""
        for file in MEMORY.glob(f"{prefix(run)}*.global_mgmt"):
            with contextlib.suppress(OSError):  # another process of the run has done so
                file.chmod(0o600)

    def make(self, name: str, flows: int, queue: int) -> Any:
        """Create the service `name`, or open it if it exists.

        Args:
            name: Name of the service.
            flows: Number of flows it carries.
            queue: Length of their longest queue.

        Raises:
            HoloflowError: It can be neither created nor opened.
        """
        _require_room()
        # Dead ends are counted until another process has cleaned up after them.
        ends = 2 * (flows + 1) + 2
        builder = (
            self._builder(name)
            .enable_safe_overflow(True)
            .subscriber_max_buffer_size(buffered(queue))
            .subscriber_max_borrowed_samples(max(queue + HELD, LOANS) + _SLACK)
            .max_publishers(4)
            .max_subscribers(ends)
            .max_nodes(ends + 4)
        )
        deadline = time.monotonic() + _PATIENCE
        while True:
            self._node.try_cleanup_dead_nodes()
            try:
                return builder.open_or_create()
            except (
                self._iox.PublishSubscribeCreateError,
                self._iox.PublishSubscribeOpenError,
                self._iox.PublishSubscribeOpenOrCreateError,
            ) as error:
                require_descriptors()
                if time.monotonic() > deadline:
                    raise HoloflowError(f"no shared memory for {name}: {error}") from error
                time.sleep(0.02)

    def find(self, name: str) -> Any:
        """Open the service `name`; return None while it does not exist.

        Raises:
            HoloflowError: It exists, but cannot be opened.
        """
        try:
            return self._builder(name).open()
        except self._iox.PublishSubscribeOpenError as error:
            if str(error) == "DoesNotExist":
                return None
            require_descriptors()
            # It may just be being created, or removed after a crash.
            until = self._unopened.setdefault(name, time.monotonic() + _PATIENCE)
            if time.monotonic() > until:
                raise HoloflowError(f"no shared memory for {name}: {error}") from error
            return None

    def publisher(self, service: Any, name: str) -> Any:
        """Create the sending port; raise HoloflowError if that is not possible."""
        builder = (
            service.publisher_builder()
            .initial_max_slice_len(INITIAL)
            .allocation_strategy(self._iox.AllocationStrategy.PowerOfTwo)
            .max_loaned_samples(LOANS + _SLACK)
        )
        return self._port(builder, name)

    def subscriber(self, service: Any, name: str, queue: int) -> Any:
        """Create a receiving port for an input with a queue of length `queue`.

        Raises:
            HoloflowError: That is not possible.
        """
        _require_room()
        return self._port(service.subscriber_builder().buffer_size(buffered(queue)), name)

    def _port(self, builder: Any, name: str) -> Any:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                port = builder.create()
                claim_small(self.prefix, name)
                return port
            except (self._iox.PublisherCreateError, self._iox.SubscriberCreateError) as error:
                require_descriptors()
                if time.monotonic() > deadline:
                    raise HoloflowError(f"no shared memory for {name}: {error}") from error
            self._node.try_cleanup_dead_nodes()
            time.sleep(0.02)

    def _builder(self, name: str) -> Any:
        services = self._node.service_builder(self._iox.ServiceName.new(name))
        return services.publish_subscribe(self._iox.Slice[ctypes.c_uint8])


def buffered(queue: int) -> int:
    """Return how many messages may be in shared memory for an input with a queue of `queue`."""
    return queue + _SLACK


def _require_room() -> None:
    if not os.access(MEMORY, os.W_OK | os.X_OK):
        raise HoloflowError(
            f"no shared memory: {MEMORY} cannot be written to", "use `link: zeromq`"
        )
    if free() < LEAST:
        raise no_memory(MEMORY, LEAST, "a link, besides its messages,")
