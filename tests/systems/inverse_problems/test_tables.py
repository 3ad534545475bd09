"""Observations in, samples out."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cinn_app.errors import CinnError, ProblemError
from cinn_app.systems.inverse_problems.observations import read_observations
from cinn_app.systems.inverse_problems.outputs import check_table, write_samples
from cinn_app.systems.inverse_problems.plots import check_plot, marginals, pair_plot, save_plot
from cinn_app.systems.inverse_problems.problem import Quantity

MEASURED = (Quantity("a", "m"), Quantity("b"))


def test_numbers_on_the_command_line() -> None:
    for text in ("1,2.5", "1, 2.5", "1 2.5", " +1;2.5e0 "):
        assert read_observations(text, MEASURED).tolist() == [1, 2.5]
    assert read_observations("-1,-2", MEASURED).tolist() == [-1, -2]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("1,2\n3,4\n", [[1, 2], [3, 4]]),
        ("a,b\n1,2\n", [[1, 2]]),
        ("b,note,a\n1,fine,2\n\n3,,4\n", [[2, 1], [4, 3]]),
        ("first;second\r\n1;2\r\n", [[1, 2]]),
        ("\ufeff1\t2", [[1, 2]]),
        ('"a","b"\n"1","2"\n', [[1, 2]]),
        ("1,5;2\n3;-4,25\n", [[1.5, 2], [3, -4.25]]),  # as spreadsheets write in much of Europe
        ("b;a\n1,5;2\n", [[2, 1.5]]),
        ("1.0e+00 -2.5\n  3 \N{MINUS SIGN}4\n", [[1, -2.5], [3, -4]]),  # as numpy.savetxt writes; and a typeset minus
    ],
)
def test_tables_of_observations(tmp_path: Path, content: str, rows: list[list[float]]) -> None:
    (tmp_path / "o.csv").write_text(content, encoding="utf-8")
    assert read_observations(str(tmp_path / "o.csv"), MEASURED).tolist() == rows


def test_arrays_of_observations(tmp_path: Path) -> None:
    path = tmp_path / "o.npy"
    np.save(path, np.arange(6, dtype=np.int16).reshape(3, 2))
    assert read_observations(str(path), MEASURED).tolist() == [[0, 1], [2, 3], [4, 5]]
    np.save(path, np.array([1.0, 2.0]))
    assert read_observations(str(path), MEASURED).shape == (1, 2)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("1,2\n3,hello\n", r"^Line 2 of o.csv has 'hello' where a number is needed: give a table of numbers"),
        ("a,b\n1\n", r"Line 2 of o.csv|line 2 of o.csv has 1 values where this problem measures 2"),
        (
            "1,2,3\n",
            r"^The observation in line 1 of o.csv has 3 values where this problem measures 2: give 2 numbers\.$",
        ),
        ("1,nan\n", "line 1 of o.csv has a number that is nan, infinite or too large"),
        ("1,1e99\n", "line 1 of o.csv has a number that is nan, infinite or too large"),
        ("", "^o.csv has no observations: give one in each row"),
        ("a,b\n", "^o.csv has no observations"),
        ("1,O.5\n2,3\n", r"^Line 1 of o.csv has 'O.5' where a number is needed"),
        ("b,x\n1,2\n", r"^The first row of o.csv does not name the measurements a: name all of them \(a, b\)"),
        ("# my data\n1,2\n", r"^The first row of o.csv does not name the measurements a, b: "),
        ("\x00\x01", "where a number is needed|cannot be read|first row"),
    ],
)
def test_unfit_tables_are_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "o.csv").write_text(content)
    with pytest.raises(ProblemError, match=sentence):
        read_observations(str(tmp_path / "o.csv"), MEASURED)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("1,x", "^The observation '1,x' is neither numbers nor a file: give 2 numbers"),
        ("", "is neither numbers nor a file"),
        ("1", "has 1 values where this problem measures 2"),
        ("1,inf", "nan, infinite or too large"),
        ("missing.csv", r"^The observations missing.csv cannot be read \(No such file or directory\)"),
    ],
)
def test_unfit_numbers_are_one_sentence(given: str, sentence: str) -> None:
    with pytest.raises(ProblemError, match=sentence):
        read_observations(given, MEASURED)


def test_arrays_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "o.npy").write_bytes(b"not numpy")
    np.save(tmp_path / "text.npy", np.array(["a", "b"]))
    np.save(tmp_path / "complex.npy", np.array([1j, 2]))
    for name in ("o.npy", "text.npy", "complex.npy"):
        with pytest.raises(ProblemError, match="cannot be read"):
            read_observations(str(tmp_path / name), MEASURED)
    np.save(tmp_path / "deep.npy", np.zeros((2, 3, 2)))
    with pytest.raises(ProblemError, match=r"^deep.npy has 3 axes where a table has two"):
        read_observations(str(tmp_path / "deep.npy"), MEASURED)


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".parquet"])
def test_samples_of_several_observations_have_an_index(tmp_path: Path, suffix: str) -> None:
    import pandas

    samples, path = torch.arange(12.0).reshape(2, 3, 2) / 7, tmp_path / f"s{suffix}"
    check_table(path)
    write_samples(path, samples, ["height, mm", "b"])
    read = {".csv": pandas.read_csv, ".parquet": pandas.read_parquet, ".npy": lambda p: pandas.DataFrame(np.load(p))}
    table = read[suffix](path)
    assert table.iloc[:, 0].tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_allclose(table.iloc[:, 1:], samples.reshape(6, 2), rtol=1e-6)
    if suffix != ".npy":
        assert list(table.columns) == ["observation", "height, mm", "b"]
    write_samples(path, samples[0], ["height, mm", "b"])
    assert read[suffix](path).shape == (3, 2)


def test_places_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for path, sentence in (
        (tmp_path / "s.xlsx", r"does not end like a table: name it with one of \.csv, \.npy, \.parquet"),
        (tmp_path / "none" / "s.csv", r"there is no folder .*none: create it first\."),
        (tmp_path / "folder.csv", "is a folder: name a file inside it"),
    ):
        with pytest.raises(CinnError, match=sentence):
            check_table(path)
    with pytest.raises(ProblemError, match=r"does not end like a plot: name it with one of \.png, \.pdf, \.svg"):
        check_plot(tmp_path / "plot.gif")
    with pytest.raises(ProblemError, match="is a folder"):
        write_samples(tmp_path / "folder.csv", torch.zeros(2, 2), ["a", "b"])


def test_a_pair_plot_has_marginals_contours_and_correlations(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5000, 1, generator=generator)
    samples = torch.cat([x, 10 + 0.8 * x + 0.6 * torch.randn(5000, 1, generator=generator)], 1)
    figure = pair_plot(samples, MEASURED, prior=3 * torch.randn(1000, 2), truth=torch.tensor([0.5, 9.0]))
    first, correlation, pairs, second = figure.axes
    assert float(correlation.texts[0].get_text()) == pytest.approx(0.8, abs=0.03)
    assert [axis.get_xlabel() for axis in (pairs, second)] == ["a (m)", "b"] and pairs.get_ylabel() == "b"
    assert first.get_lines()[0].get_xdata()[0] == 0.5
    assert pairs.collections
    save_plot(figure, tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_degenerate_samples_and_dollar_signs_are_drawn(tmp_path: Path) -> None:
    quantities = (Quantity("price in $", "$"), *(Quantity(f"x{number}") for number in range(2)))
    for figure in (
        pair_plot(torch.ones(100, 3), quantities),
        marginals(torch.ones(12, 100, 3), quantities, torch.randn(50, 3), labels=[str(n) for n in range(12)]),
    ):
        save_plot(figure, tmp_path / "p.svg")
        assert any("price in" in axis.get_xlabel() for axis in figure.axes)
