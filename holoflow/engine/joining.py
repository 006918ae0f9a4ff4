"""Joining a part of an app to its other parts: the ends of links find their stages."""

from __future__ import annotations

import functools

from holoflow.engine.build import Program
from holoflow.engine.incoming import Incoming
from holoflow.flow.ledger import GONE, gone
from holoflow.link.links import Links
from holoflow.plan.part import enters


def join(program: Program, links: Links) -> None:
    """Open all ends of links; messages come once the links accept."""
    for flow, queue in program.queues.items():
        if enters(program.plan, flow):
            shift = functools.partial(links.shift, flow)
            host = program.hosts.get(flow.target.operator)
            wanted = None if host is None else host.ports.type_of(flow.target.port)
            incoming = Incoming(queue, links.types, wanted, program.control.paths, shift)
            queue.inlet = links.inlet(flow, incoming)
            queue.place = links.source(flow)
    for outgoing in program.outgoing:
        outgoing.place = links.target(outgoing.flow)
        outgoing.outlet = outlet = links.outlet(outgoing.flows, outgoing)
        for stage in program.stages:
            if stage is outgoing.producer:
                for host in stage.hosts:
                    host.operator.context.allocate = outlet.allocate


def give_doorbells(program: Program, links: Links, threads: int) -> None:
    """Have stages wait by themselves for other processes, where that takes no thread from others.

    `threads` tick the stages.
    """
    if len(program.stages) > threads or program.natives or program.ucx is not None:
        return
    for stage in program.stages:
        if stage.linked:
            stage.doorbell = links.doorbell(stage.hosts[0].name)


def end_incoming(program: Program) -> None:
    """Take nothing more from other processes: the run has failed. What is here is worked off."""
    for queue in program.queues.values():
        if queue.inlet is None or queue.closed:
            continue
        queue.close()
        if program.control.comes_back():
            queue.inlet.suspend()
        else:
            queue.row[GONE] = gone("stopped")
            queue.inlet.abandon()
