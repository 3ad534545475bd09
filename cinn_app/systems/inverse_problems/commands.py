"""`cinn inverse`: posteriors from a simulator."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cinn_app.cli.console import count, err, out, say, say_warning
from cinn_app.cli.options import Device, WrongUsage, not_nan, seed_option
from cinn_app.errors import ProblemError
from cinn_app.files import check_output, writing
from cinn_app.process import worker_count

__all__ = ["inverse"]

#: Samples of all observations together, which are in memory at once.
MAX_SAMPLES = 20_000_000
#: Observations that a warning lists.
LISTED = 10

inverse = typer.Typer(no_args_is_help=True, add_completion=False)

ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="An installed model, or the path of a checkpoint.")]
Jobs = Annotated[int | None, typer.Option(min=1, show_default="all cores", help="The most processes that simulate.")]
Cache = Annotated[Path, typer.Option(metavar="DIR", file_okay=False, help="Folder of simulations, kept for next time.")]


@inverse.callback()
def about() -> None:
    """Find the parameters that explain a measurement, and how sure that is.

    A problem is a Python file with two functions, prior(count, generator), which draws parameters, and
    simulate(x, generator), which returns what would be measured.
    The code in a file runs only when you name the file; a trained model needs it no more.

    [dim]cinn inverse fit mine.py -o mine.safetensors[/dim]

    [dim]cinn inverse sample mine.safetensors --observe "0.3,1.2" -n 5000 -o samples.csv[/dim]
    """


@inverse.command()
def fit(
    problem: Annotated[
        str,
        typer.Argument(
            metavar="PROBLEM", help="A built-in problem, or the path of a Python file, whose code will run."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", dir_okay=False, help="The checkpoint to write.")
    ],
    simulations: Annotated[
        int, typer.Option("--simulations", metavar="N", help="How many simulations to learn from.")
    ] = 10_000,
    objective: Annotated[
        Literal["likelihood", "mmd", "both"],
        typer.Option(help="Maximum likelihood; the losses of both directions; or both."),
    ] = "likelihood",
    max_minutes: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=not_nan,
            show_default="no limit",
            help="End the training, with its schedule, after this time.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue where the last run stopped.")] = False,
    jobs: Jobs = None,
    seed: Annotated[int, seed_option("simulations and weights")] = 0,
    run: Annotated[
        Path | None,
        typer.Option(metavar="DIR", file_okay=False, show_default="runs/NAME", help="Folder of logs and saved state."),
    ] = None,
    cache: Cache = Path("cache"),
    device: Device = "auto",
) -> None:
    """Simulate a problem, and train a model that gives the posterior of any observation.

    [dim]cinn inverse fit mine.py --simulations 20000 -o mine.safetensors[/dim]

    The problem is a Python file of yours or the name of a built-in one (cinn inverse problems). Your file's code runs.
    A run that was stopped continues with --resume; finished simulations are kept in any case.
    """
    from cinn_app.checkpoints import check_target
    from cinn_app.cli.bars import rich_progress
    from cinn_app.extras import require_extra
    from cinn_app.figures import figures_of

    folder = run or Path("runs") / output.stem
    check_target(output, problem)
    check_output(output)
    check_output(folder / "state", new_folders=True)
    require_extra("train", "Training")
    with err.status("Loading the libraries"):
        from cinn_app.systems.inverse_problems.problem import load_problem
        from cinn_app.systems.inverse_problems.recipe import default_recipe
        from cinn_app.systems.inverse_problems.simulations import simulated

        loaded = load_problem(problem)
        sizes = len(loaded.parameters), len(loaded.measurements)
        recipe = default_recipe(loaded.name, loaded.title, *sizes, simulations, objective, seed)
        from cinn_app.training.run import STATE_FILE, train  # takes seconds, after all that may be refused
    state = folder / STATE_FILE
    try:
        simulated(loaded, simulations, seed, cache, jobs or worker_count(), rich_progress)
        checkpoint = train(
            recipe,
            [] if loaded.is_builtin else [Path(loaded.source)],
            output,
            folder,
            cache,
            device,
            resume=resume,
            max_minutes=max_minutes,
            progress=rich_progress,
        )
    except (KeyboardInterrupt, SystemExit):  # Lightning makes the second of the first
        how = "continue with --resume" if state.is_file() else "start it again; finished simulations are kept"
        say_warning(f"The fit was stopped: {how}.")
        raise typer.Exit(130) from None
    state.unlink(missing_ok=True)  # it is finished, and the next one starts from the beginning
    say(f"Wrote {output}.")
    out.print(figures_of(recipe.system).lines(checkpoint.figures))


@inverse.command()
def sample(
    context: typer.Context,
    model: ModelArgument,
    observe: Annotated[
        str,
        typer.Option(
            metavar="VALUES|FILE",
            help="The measurements, as numbers with commas between; or a .csv or .npy file with an observation in each "
            "row.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", dir_okay=False, help="A table: .csv, .npy or .parquet."),
    ],
    number: Annotated[int, typer.Option("--count", "-n", min=1, help="Samples of each observation.")] = 5000,
    seed: Annotated[int, seed_option("samples")] = 0,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="Draw them, too: .png, .pdf or .svg."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Draw parameters that explain an observation.

    [dim]cinn inverse sample mine.safetensors --observe "0.3,1.2" -n 5000 -o samples.csv[/dim]

    The table has a column for each parameter. For a file of observations, a first column says which of them a sample
    explains, from 0. Existing files are replaced.

    The plot shows the marginals over the prior, in gray, and for one observation the pairs of parameters with their
    correlations.
    """
    with err.status("Loading the model"):
        import torch

        from cinn_app import InverseProblem
        from cinn_app.systems.inverse_problems.inverse_problem import EXTRAPOLATION
        from cinn_app.systems.inverse_problems.observations import read_observations
        from cinn_app.systems.inverse_problems.outputs import check_table, write_samples
        from cinn_app.systems.inverse_problems.posterior import Posterior

        check_table(output, observe, model)
        if plot:  # what draws takes half a second to load
            from cinn_app.systems.inverse_problems.plots import MAX_PAIRS, check_plot, marginals, pair_plot, save_plot

            check_plot(plot)
            check_output(plot, observe, model)
        trained = InverseProblem.load(model, device)
    observed = torch.from_numpy(read_observations(observe, trained.measurements)).float()
    posterior = Posterior(trained.model, observed, trained.parameters)
    several = observed.ndim == 2
    observations = len(observed) if several else 1
    total = number * observations
    if total > MAX_SAMPLES:
        raise WrongUsage(
            f"{total:,} samples are more than the {MAX_SAMPLES:,} that one table holds: give a lower --count, or fewer "
            "observations.",
            context,
        )
    if posterior.far.any():
        far = [str(index) for index in posterior.far.reshape(-1).nonzero()[:, 0].tolist()]
        more = f" and {len(far) - LISTED:,} more" if len(far) > LISTED else ""
        listed = f"Observation{'s' * (len(far) > 1)} {', '.join(far[:LISTED])}{more}"
        say_warning(f"{listed if several else 'The observation'}: {EXTRAPOLATION}.")
    with err.status("Drawing samples"):
        drawn = posterior.sample((number,), torch.Generator().manual_seed(seed))
    drawn = drawn.movedim(0, -2)
    write_samples(output, drawn, [quantity.name for quantity in trained.parameters])
    each = f"each of {observations:,} observations" if several and observations > 1 else "one observation"
    say(f"Wrote {count(number, 'sample')} of {each} to {output}.")
    if plot:
        with err.status("Drawing"):
            prior = trained.model.prior.cpu()
            if several:
                labels = [f"observation {number}" for number in range(len(observed))]
                figure = marginals(drawn, trained.parameters, prior, labels=labels)
            else:
                figure = pair_plot(drawn, trained.parameters, prior)
            save_plot(figure, plot)
        left = len(trained.parameters) - MAX_PAIRS
        say(f"Wrote {plot}{f', without the last {left} parameters' if left > 0 and not several else ''}.")


@inverse.command()
def check(
    model: ModelArgument,
    problem: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            show_default="the built-in one of the model",
            help="The problem that the model was trained on, whose code will run.",
        ),
    ] = None,
    checks: Annotated[
        int, typer.Option("--simulations", metavar="N", min=100, max=100_000, help="Fresh simulations to compare with.")
    ] = 1000,
    samples: Annotated[int, typer.Option(min=20, max=10_000, help="Draws from each posterior.")] = 200,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Draw it, too: .png, .pdf or .svg.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", dir_okay=False, help="Write the figures there, too.")
    ] = None,
    jobs: Jobs = None,
    cache: Cache = Path("cache"),
    device: Device = "auto",
) -> None:
    """Say how far a model's posteriors may be trusted, by simulations whose true parameters are known.

    [dim]cinn inverse check mine.safetensors --problem mine.py --plot check.png[/dim]

    It measures the ranks of the truth among draws (simulation-based calibration), the expected coverage of regions, the
    calibration error, and how well simulations with drawn parameters reproduce the measurement. The verdict is one of
    three: trust it; trust the single parameters, or some of them, and no more; do not trust it.
    """
    import json

    with err.status("Loading the model"):
        from cinn_app import InverseProblem
        from cinn_app.cli.bars import rich_progress
        from cinn_app.figures import figures_of, format_number
        from cinn_app.systems.inverse_problems.evaluation import check_posterior, fresh_simulations, problem_of
        from cinn_app.systems.inverse_problems.plots import check_plot, plot_calibration, save_plot

        if plot:
            check_plot(plot)
        for place in filter(None, (plot, json_file)):
            check_output(place, model, *filter(None, (problem,)))
        trained = InverseProblem.load(model, device)
        loaded = problem_of(trained, problem)
    if loaded.digest != trained.record.digest and not loaded.is_builtin:
        say_warning(
            f"{loaded.file.name} has changed since the model was trained: the check is of the file as it is now."
        )
    fresh = fresh_simulations(trained, loaded, checks, cache, jobs or worker_count(), rich_progress)
    checked = check_posterior(trained, loaded, fresh, samples, rich_progress)
    grade, sentences = checked.verdict()
    figures, named = checked.figures(), figures_of(trained.recipe.system)
    for name, value in figures.items():
        say(f"{named.label(name)}: {format_number(value)}")
    for sentence in sentences:
        (say if grade == "trust" else say_warning)(sentence)
    if plot:
        save_plot(plot_calibration(checked), plot)
        say(f"Wrote {plot}.")
    if json_file:
        rounded = {name: float(f"{value:.6g}") for name, value in figures.items()}
        content = {"model": trained.recipe.name, "checks": checked.checks, "grade": grade, "figures": rounded}
        content["verdict"] = sentences
        with writing(json_file, ProblemError) as file:
            file.write((json.dumps(content, indent=2) + "\n").encode())
        say(f"Wrote {json_file}.")


@inverse.command()
def problems() -> None:
    """List the built-in problems."""
    from rich.table import Table
    from rich.text import Text

    from cinn_app.systems.inverse_problems.problem import builtin_problems, load_problem

    table = Table("Name", "What it is about", "Parameters", "Measurements")
    for name in builtin_problems():
        problem = load_problem(name)
        measured = problem.measurements
        listed = ", ".join(one.label for one in measured) if len(measured) <= 8 else f"{len(measured)}"
        table.add_row(name, Text(problem.title), Text(", ".join(one.label for one in problem.parameters)), Text(listed))
    out.print(table)
