"""`cinn evaluate`: how good a model is, on data that it has not learnt from."""

import dataclasses
import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer
from typer.core import TyperCommand

from cinn_app.cli.console import count, err, out, say, say_warning
from cinn_app.cli.options import Device, WrongUsage, data_help
from cinn_app.errors import CheckpointError, CinnError, DataError
from cinn_app.files import check_output, writing

if TYPE_CHECKING:
    from cinn_app.evaluation import Evaluation
    from cinn_app.registry import System

__all__ = ["command", "evaluate"]

#: Problems beyond these are counted, not shown.
PROBLEMS_SHOWN = 10
#: Where MNIST is kept, as by `cinn train`.
CACHE = Path("cache")
#: Parameters of every evaluation; what else a system's evaluation takes by keyword is an option of its own.
SHARED = ("cache", "limit", "progress")


def evaluate(
    context: typer.Context,
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="An installed model, or the path of a checkpoint.")
    ],
    data: Annotated[
        list[Path] | None, typer.Option(metavar="PATH", help=data_help("What to measure on, unseen in training."))
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, show_default="all", help="The most pictures to measure, spread evenly.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", dir_okay=False, help="Write the figures there, too.")
    ] = None,
    device: Device = "auto",
    **own: Any,
) -> None:
    """Measure a model on data that it has not learnt from.

    [dim]cinn evaluate colorize --data holiday/[/dim]

    [dim]cinn evaluate digits[/dim]

    A model's system may have more options: [bold]cinn evaluate CHECKPOINT --help[/bold] lists them.
    """
    if json_file:
        check_output(json_file, checkpoint, *(data or []))
    with err.status("Loading the model"):
        from cinn_app.checkpoints import find_checkpoint, read_header
        from cinn_app.cli.bars import rich_progress
        from cinn_app.registry import systems

        recipe = read_header(find_checkpoint(checkpoint)).recipe
        system = systems()[recipe.system]
        if not data and system.needs_data:
            raise WrongUsage(f"--data is missing: give {system.data} that the model has not learnt from.", context)
        model = system.load("trained_model").load(checkpoint, device)
    evaluation = system.load("evaluation")(model, data or [], cache=CACHE, limit=limit, progress=rich_progress, **own)
    try:  # what fails to be written does not keep the figures from being shown, nor the other way round
        if json_file:
            content = {"recipe": recipe.name, **own, **dataclasses.asdict(evaluation)}
            with writing(json_file, DataError) as file:
                file.write(json.dumps(content, indent=2).encode() + b"\n")
    finally:
        _show(recipe.name, recipe.system, evaluation)
    if json_file:
        say(f"Wrote {json_file}.")


class _Command(TyperCommand):
    """The command, with the options of the system whose checkpoint is named."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Leave out hidden parameters: a checkpoint that is named already."""
        shown = (one for one in self.get_params(ctx) if not getattr(one, "hidden", False))
        return ["[OPTIONS]", *(piece for one in shown for piece in one.get_usage_pieces(ctx))]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.ignore_unknown_options = ctx.allow_extra_args = True
        given, rest, _ = self.make_parser(ctx).parse_args(list(args))
        named = _first_checkpoint([name for name in (given.get("checkpoint"), *rest) if isinstance(name, str)])
        if named is not None:  # without one, the checkpoint is what to complain about
            checkpoint, system = named
            ctx.info_name = f"{ctx.info_name} {checkpoint}"
            ctx.ignore_unknown_options = ctx.allow_extra_args = False
            command = typer.main.get_command(_with_options(system))
            self.params, self.callback, self.help = command.params, command.callback, command.help
        return super().parse_args(ctx, args)


def _first_checkpoint(names: Sequence[str]) -> "tuple[str, System] | None":
    """Return the first name that is a checkpoint's, and its system."""
    from cinn_app.checkpoints import find_checkpoint, read_header
    from cinn_app.registry import systems

    for name in names:
        try:
            return name, systems()[read_header(find_checkpoint(name)).recipe.system]
        except CheckpointError:
            continue
    return None


def _with_options(system: "System") -> typer.Typer:
    """Add the options of a system: the keyword-only parameters of its evaluation."""
    with err.status("Loading the libraries"):
        measure = system.load("evaluation")
    hints = get_type_hints(measure, include_extras=True)
    help = f"What to measure on, unseen in training: {system.data}. Repeat it for more."
    changed = {
        "checkpoint": Annotated[str, typer.Argument(hidden=True)],  # it has been named, and chose these options
        "data": Annotated[list[Path] | None, typer.Option(metavar="PATH", help=help)],
    }
    own = [
        parameter.replace(annotation=_as_option(hints[name], f"Options of {system.name}"))
        for name, parameter in inspect.signature(measure).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in SHARED
    ]
    what_it_does = (inspect.getdoc(measure) or "").partition("\n\n")[0]
    example = f"cinn evaluate {system.default_model}{' --data PATH' if system.needs_data else ''}"
    shared = inspect.signature(evaluate).parameters
    replaced = [shared[name].replace(annotation=annotation) for name, annotation in changed.items()]
    return _application([*replaced, *own], f"{what_it_does}\n\n[dim]{example}[/dim]")


def _application(own: Sequence[inspect.Parameter] = (), text: str | None = evaluate.__doc__) -> typer.Typer:
    """Make a command of :func:`evaluate`, with options that are added or replace those of the same name."""
    shared = [one for one in inspect.signature(evaluate).parameters.values() if one.kind is not one.VAR_KEYWORD]
    parameters = {one.name: one.replace(kind=one.KEYWORD_ONLY) for one in (*shared, *own)}

    def run(**given: Any) -> None:
        evaluate(**given)

    run.__doc__ = text
    run.__annotations__ = {one.name: one.annotation for one in parameters.values()}
    vars(run)["__signature__"] = inspect.Signature(list(parameters.values()))
    application = typer.Typer(add_completion=False)
    application.command(cls=_Command)(run)
    return application


command = _application()


def _as_option(hint: Any, panel: str) -> Any:
    """Turn a type, annotated by pydantic with bounds and a description, into one with an option for typer."""
    from pydantic import TypeAdapter, ValidationError
    from pydantic.fields import FieldInfo

    described = FieldInfo.from_annotation(hint)
    bounds = {name: getattr(one, name) for one in described.metadata for name in ("ge", "le") if hasattr(one, name)}

    def check(value: Any) -> Any:
        try:
            return TypeAdapter(hint).validate_python(value)
        except ValidationError as error:
            raise typer.BadParameter(error.errors()[0]["msg"]) from None
        except CinnError as error:
            raise typer.BadParameter(str(error)) from None

    option = typer.Option(
        min=bounds.get("ge"),
        max=bounds.get("le"),
        help=described.description,
        callback=check,
        rich_help_panel=panel,
    )
    kinds = set(get_args(described.annotation)) - {type(None)}
    # What may be of several types comes as text.
    return Annotated[str | None if len(kinds) > 1 else described.annotation, option]


def _show(name: str, system: str, evaluation: "Evaluation") -> None:
    from rich.table import Table

    from cinn_app.figures import figures_of, format_number

    for problem in evaluation.problems[:PROBLEMS_SHOWN]:
        say_warning(problem)
    if len(evaluation.problems) > PROBLEMS_SHOWN:
        say_warning(f"{len(evaluation.problems) - PROBLEMS_SHOWN:,} more could not be measured.")
    for note in evaluation.notes:
        say_warning(note)
    table = Table("Figure", title=f"{name}, on {count(evaluation.pictures, evaluation.kind)}", title_justify="left")
    table.add_column("Value", justify="right")
    table.add_column("Better")
    figures = figures_of(system)
    for group, values in figures.grouped(evaluation.figures):
        table.add_section()
        table.add_row(f"[bold]{group.heading}[/bold]")
        if group.explanation:
            table.add_row(f"[dim]{group.explanation}[/dim]")
        for key, number in values.items():
            table.add_row(f"  {figures.label(key)}", format_number(number), figures.better(key))
    out.print(table)
