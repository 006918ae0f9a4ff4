"""What links cost on the machine on which holoflow is built (`holoflow plan --calibrate`)."""

from holoflow.plan.simulate.costs import Costs, Line, LinkCosts

MEASURED = Costs(
    measured="a virtual machine with two cores that other programs used too",
    overhead=6.53e-06,
    wake=0.000256,
    background=0.107,
    links={
        "shared_memory": LinkCosts(
            send=Line(0.000133, 1.1e-10),
            receive=Line(0.000109, 0),
            out=Line(0, 0),
            into=Line(0, 2.39e-12),
            delay=Line(0.000301, 0),
        ),
        "zeromq_local": LinkCosts(
            send=Line(3.18e-05, 3.8e-11),
            receive=Line(2.3e-05, 3.99e-11),
            out=Line(2.08e-05, 2.24e-10),
            into=Line(3.68e-05, 2.97e-10),
            delay=Line(0.000552, 0),
        ),
        "zeromq": LinkCosts(
            send=Line(3.65e-05, 1.91e-11),
            receive=Line(4e-05, 3.33e-11),
            out=Line(3.96e-05, 8.28e-11),
            into=Line(6.66e-05, 3.73e-10),
            delay=Line(0.000453, 4.44e-11),
        ),
        "zeromq_encrypted": LinkCosts(
            send=Line(2.58e-05, 2.97e-11),
            receive=Line(2.41e-05, 4.69e-11),
            out=Line(5.33e-05, 9.01e-10),
            into=Line(5.65e-05, 8.35e-10),
            delay=Line(0.00091, 0),
        ),
    },
)
