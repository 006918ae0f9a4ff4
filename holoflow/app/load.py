"""Reading of an app: the one place where all checks come together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from holoflow.app import catalogue
from holoflow.app.assets import read_assets
from holoflow.app.cycles import check_cycles
from holoflow.app.document import Value
from holoflow.app.format import AppFile, Defaults, PackagesSchema
from holoflow.app.graph import App, Node, Scheduler
from holoflow.app.joins import check_inputs, check_steps, exports, read_sync
from holoflow.app.mistakes import Report
from holoflow.app.operators import AssetPaths, OperatorReader
from holoflow.app.placement import read_budgets, read_fragments, read_links
from holoflow.app.plugins import Package
from holoflow.app.scheduling import read_scheduler
from holoflow.app.templates import FragmentReader, read_app
from holoflow.app.unresolved import Scope, TemplateUse, UnresolvedOperator, check_claims
from holoflow.app.validation import Wording, check
from holoflow.app.variables import Allowance, Variables, substitute
from holoflow.app.wiring import Wiring, check_order
from holoflow.core.errors import Location


def load(
    path: Path | str,
    *,
    settings: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    text: str | None = None,
    classes: Mapping[str, type] | None = None,
) -> App:
    """Read the app file at `path` and check all of it; nothing is started.

    Args:
        path: The app file.
        settings: Values of `--set`, which take precedence over `vars:`.
        environment: Environment variables to use instead of those of the process.
        text: Of an app built in code: what would be in the file.
        classes: Classes of operators that need not be imported, by their names in the app.

    Raises:
        AppError: The app is wrong; the error has every mistake.
    """
    path, report = Path(path), Report()
    root = read_app(path, report, text)
    if root is None:
        report.check()
        raise AssertionError("a file that cannot be read has been reported")
    app = _App(path, root, settings or {}, environment, report).read(classes or {})
    return replace(app, settings=dict(settings or {}), text=text)


class _App:
    def __init__(
        self,
        path: Path,
        root: Value,
        settings: Mapping[str, str],
        environment: Mapping[str, str] | None,
        report: Report,
    ) -> None:
        self.path = path
        self.report = report
        self.allowance = Allowance()
        if environment is None:
            environment = os.environ
        declared = root.get("vars")
        variables = Variables(declared, settings, environment, report, self.allowance)
        entries = {
            key: item
            if key == "vars"
            else substitute(item, variables.lookup, report, self.allowance)
            for key, item in root.mapping.items()
        }
        self.variables = variables.resolve_all()
        self.root = Value(entries if entries else root.data, root.at, keys=root.keys)
        self.file = check(AppFile, self.root, report)
        variables.check_settings(root.keys.get("vars", Location(str(path))))

    def read(self, classes: Mapping[str, type]) -> App:
        assets = read_assets(self.root.get("assets"), self.report)
        declared = self.root.get("assets")
        paths = AssetPaths(assets, declared.mapping if declared else {})
        defaults = self.defaults()

        resources = self.root.get("resources")
        reader = OperatorReader(paths, resources, self.report, classes)
        services = reader.read_services(self.root.get("services"))
        loggers = reader.read_loggers(self.root.get("loggers"))
        fragments = FragmentReader(reader, self.allowance, self.report)
        operators = self.root.get("operators")
        if operators is not None:
            reader.read_all(operators, Scope(), fragments.use)
        unresolved_operators, groups = reader.unresolved_operators, reader.groups

        names = [unresolved.name for unresolved in unresolved_operators]
        given = self.root.get("scheduler")
        scheduler = read_scheduler(given, "the scheduler", names, self.report)
        wiring = Wiring(self.report)
        for group in groups:
            wiring.connect_group(group)
        for unresolved in unresolved_operators:
            wiring.connect(unresolved)
        exported = exports(groups)
        for unresolved in unresolved_operators:
            check_inputs(unresolved, exported, self.report)
        nodes = {
            unresolved.name: self.node(unresolved, defaults) for unresolved in unresolved_operators
        }
        check_cycles(unresolved_operators, wiring.edges, self.report)
        listed = self.root.get("fragments")
        placed = read_fragments(
            listed, unresolved_operators, groups, scheduler, defaults.hang, self.report
        )
        known = placed if listed is not None and listed.data not in (None, {}) else None
        check_order(unresolved_operators, placed, self.report)
        flows = read_links(wiring.wired, unresolved_operators, known, defaults.link, self.report)
        check_claims(unresolved_operators, nodes, placed, self.report)
        known_nodes = {name: node for name, node in nodes.items() if node is not None}
        if not self.report:
            check_steps(known_nodes, flows, defaults.when_full, self.report)
        budgets = read_budgets(
            self.root.get("budgets"), unresolved_operators, wiring.edges, self.report
        )
        apt = self.apt()
        self.report.check()
        return App(
            name=self.file.app if self.file else "",
            path=self.path,
            operators=known_nodes,
            flows=flows,
            fragments=placed,
            scheduler=scheduler or Scheduler(),
            budgets=budgets,
            services=services,
            loggers=loggers,
            assets=assets,
            variables=self.variables,
            fuse=self.file is None or self.file.fuse == "auto",
            queue=defaults.queue or App.queue,
            when_full=defaults.when_full,
            hang=defaults.hang,
            description=self.file.description if self.file else "",
            version=self.file.version if self.file else "",
            apt=apt,
            plugins=_plugins(unresolved_operators, groups),
            notes=tuple(self.report.notes),
        )

    def defaults(self) -> Defaults:
        value = self.root.get("defaults")
        empty = Defaults.model_validate({})
        if value is None or value.data is None:
            return empty
        return check(Defaults, value, self.report, Wording("key", " of defaults")) or empty

    def apt(self) -> tuple[str, ...]:
        value = self.root.get("packages")
        if value is None or value.data is None:
            return ()
        entry = check(PackagesSchema, value, self.report, Wording("key", " of packages"))
        return tuple(entry.apt) if entry else ()

    def node(self, unresolved: UnresolvedOperator, defaults: Defaults) -> Node | None:
        sync = unresolved.value.get("sync")
        joined = None
        if sync is not None and sync.data is not None and not unresolved.is_holoscan:
            joined = read_sync(unresolved, sync, self.report)
        if unresolved.cls is None or unresolved.entry is None:
            return None
        return Node(
            name=unresolved.name,
            type_name=unresolved.entry.type,
            cls=unresolved.cls,
            parameters=unresolved.parameters,
            holoscan_operator=unresolved.holoscan_operator,
            sync=joined,
            on_error=unresolved.entry.on_error or defaults.on_error,
            fuse=False if unresolved.entry.fuse == "off" else None,
            in_flight=unresolved.entry.in_flight or defaults.in_flight,
            copies=unresolved.entry.copies,
            after=unresolved.after,
            location=unresolved.at,
        )


def _plugins(
    unresolved_operators: Iterable[UnresolvedOperator], groups: Iterable[TemplateUse]
) -> tuple[Package, ...]:
    """Return the packages that add operators and fragment templates used by an app."""
    kinds = {
        unresolved.entry.type for unresolved in unresolved_operators if unresolved.entry is not None
    }
    found = {catalogue.package(kind) for kind in kinds} | {group.package for group in groups}
    return tuple(sorted(package for package in found if package is not None))
