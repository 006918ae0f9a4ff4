"""iceoryx2 by hand, in Python: publish and subscribe, with an event that wakes the subscriber."""

from __future__ import annotations

import ctypes
import time
from typing import Any

import iceoryx2 as iox2
import numpy as np

from rivals.frames import Array, Source
from rivals.job import Job
from rivals.meter import Meter

UNDER_WAY = 8
"""Samples that may wait for the subscriber."""


def prefix(job: Job) -> str:
    """Return what the names of the measurement's shared memory begin with."""
    return f"bench_{job.path.name}_"


def receive(job: Job) -> None:
    """Take what comes: views of the sample, which is held while they are looked at."""
    meter = Meter(job)
    node = _node(job)
    subscriber = _payloads(node).subscriber_builder().buffer_size(UNDER_WAY).create()
    listener = _events(node).listener_builder().create()
    second = iox2.Duration.from_secs(1)
    while not meter.over:
        sample = subscriber.receive()
        if sample is None:
            listener.timed_wait(second)
            continue
        meter.saw(_view(sample.payload_ptr, job.size))
        sample.delete()


def send(job: Job) -> None:
    """Copy an array into a sample (`copy`), or write into the sample itself (`loan`)."""
    source = Source(job)
    node = _node(job)
    service = _payloads(node)
    publisher = (
        service.publisher_builder()
        .initial_max_slice_len(job.size)
        .backpressure_strategy(iox2.BackpressureStrategy.RetryUntilDelivered)
        .create()
    )
    notifier = _events(node).notifier_builder().create()
    while not service.dynamic_config.number_of_subscribers:
        time.sleep(0.01)
    arrays = source.arrays()
    for _ in source.ticks():
        if job.variant == "copy":
            array = next(arrays)
            source.stamp(array)
            sample = publisher.loan_slice_uninit(job.size)
            np.copyto(_view(sample.payload_ptr, job.size), array)
        else:
            sample = publisher.loan_slice_uninit(job.size)
            source.stamp(_view(sample.payload_ptr, job.size))
        sample.assume_init().send()
        notifier.notify()


def _view(pointer: int, size: int) -> Array:
    memory: Any = (ctypes.c_uint8 * size).from_address(pointer)
    array: Array = np.frombuffer(memory, np.uint8)
    return array


def _node(job: Job) -> Any:
    config = iox2.config.default()
    config.global_cfg.prefix = iox2.FileName.new(prefix(job))
    config.global_cfg.root_path = iox2.Path.new(job.folder)
    return iox2.NodeBuilder.new().config(config).create(iox2.ServiceType.Ipc)


def _payloads(node: Any) -> Any:
    builder = node.service_builder(iox2.ServiceName.new("frames"))
    return (
        builder.publish_subscribe(iox2.Slice[ctypes.c_uint8])
        .enable_safe_overflow(False)
        .subscriber_max_buffer_size(UNDER_WAY)
        .open_or_create()
    )


def _events(node: Any) -> Any:
    return node.service_builder(iox2.ServiceName.new("wake")).event().open_or_create()
