"""What links cost on the machine on which holoflow is built (`holoflow plan --calibrate`)."""

from holoflow.plan.simulate.costs import Costs, Line, LinkCosts

MEASURED = Costs(
    measured="a virtual machine with two cores (AMD EPYC)",
    overhead=1.06e-05,
    wake=0.000277,
    background=0.15,
    links={
        "shared_memory": LinkCosts(
            send=Line(2.94e-05, 7.12e-11),
            receive=Line(2.85e-05, 1.21e-11),
            out=Line(0, 0),
            into=Line(0, 1.26e-11),
            delay=Line(0.000427, 0),
        ),
        "zeromq_local": LinkCosts(
            send=Line(3.09e-05, 1.63e-11),
            receive=Line(2.59e-05, 1.66e-11),
            out=Line(2.62e-05, 1.99e-10),
            into=Line(4.58e-05, 2.2e-10),
            delay=Line(0.00053, 0),
        ),
        "zeromq": LinkCosts(
            send=Line(3.42e-05, 2.04e-11),
            receive=Line(3.18e-05, 2.36e-11),
            out=Line(5.52e-05, 3.78e-10),
            into=Line(6.11e-05, 2.46e-10),
            delay=Line(0.000494, 0),
        ),
        "zeromq_encrypted": LinkCosts(
            send=Line(2.98e-05, 2.7e-11),
            receive=Line(2.85e-05, 4.99e-11),
            out=Line(4.65e-05, 9.76e-10),
            into=Line(5.45e-05, 1.1e-09),
            delay=Line(0.000497, 0),
        ),
    },
)
