"""The `holoflow` command: its subcommands, and what they share."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from holoflow.cli import assets, deploy, graph, keys, new, ops
from holoflow.cli.check import check
from holoflow.cli.compare import compare
from holoflow.cli.errors import reported
from holoflow.cli.export import export
from holoflow.cli.health import health
from holoflow.cli.package import package
from holoflow.cli.plan import PlanCommand, plan
from holoflow.cli.plugins import plugins
from holoflow.cli.port import port
from holoflow.cli.predict import predict
from holoflow.cli.report import report
from holoflow.cli.run import run
from holoflow.cli.set import set_parameters
from holoflow.cli.top import top
from holoflow.cli.tune import tune
from holoflow.cli.view import view
from holoflow.core.version import __version__


class _Program(TyperGroup):
    """Commands whose exceptions become messages and exit statuses."""

    def invoke(self, ctx: Any) -> Any:
        with reported(debug=ctx.params["debug"]):
            return super().invoke(ctx)


program = typer.Typer(
    cls=_Program,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich's Markdown takes longer to import than the rest of the help
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 an operator failed, 2 the app is wrong, 3 over budget, "
    "130 interrupted.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"holoflow {__version__}")
        raise typer.Exit


@program.callback()
def common(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback if holoflow itself fails.")
    ] = False,
) -> None:
    """Streaming sensor pipelines from one YAML file, on NVIDIA Holoscan."""


program.command()(run)
program.command()(top)
program.command()(health)
program.command("set")(set_parameters)
program.command()(export)
program.command()(report)
program.command()(view)
program.command()(compare)
program.command()(check)
program.command()(graph.graph)
program.command(cls=PlanCommand)(plan)
program.command()(predict)
program.command()(tune)
program.add_typer(ops.commands, name="ops")
program.command()(plugins)
program.command()(package)
program.add_typer(deploy.commands, name="deploy")
program.command()(graph.schema)
program.command()(port)
program.add_typer(assets.commands, name="assets")
program.add_typer(keys.commands, name="keys")
program.add_typer(new.commands, name="new")
