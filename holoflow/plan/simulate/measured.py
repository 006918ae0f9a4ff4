"""What links cost on the machine on which holoflow is built (`holoflow plan --calibrate`)."""

from holoflow.plan.simulate.costs import Costs, Line, LinkCosts

MEASURED = Costs(
    measured="a virtual machine with two cores (AMD EPYC)",
    overhead=7.63e-06,
    wake=0.000232,
    background=0.0396,
    links={
        "shared_memory": LinkCosts(
            send=Line(8.12e-06, 6.28e-11),
            receive=Line(1.33e-05, 3.43e-12),
            out=Line(4.38e-06, 0),
            into=Line(8.78e-07, 5.23e-11),
            delay=Line(0.000218, 0),
        ),
        "zeromq_local": LinkCosts(
            send=Line(1.22e-05, 1.25e-11),
            receive=Line(1.13e-05, 1.56e-11),
            out=Line(2.16e-05, 2.17e-10),
            into=Line(3.23e-05, 2.21e-10),
            delay=Line(0.00034, 0),
        ),
        "zeromq": LinkCosts(
            send=Line(2.07e-05, 1.32e-11),
            receive=Line(2.29e-05, 1.88e-11),
            out=Line(5.28e-05, 2.49e-10),
            into=Line(5.73e-05, 1.95e-10),
            delay=Line(0.000633, 0),
        ),
        "zeromq_encrypted": LinkCosts(
            send=Line(2.69e-05, 2.11e-11),
            receive=Line(3.38e-05, 3.86e-11),
            out=Line(7.18e-05, 8.58e-10),
            into=Line(7.17e-05, 8.61e-10),
            delay=Line(0.000428, 0),
        ),
    },
)
