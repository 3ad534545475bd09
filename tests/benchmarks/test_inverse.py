"""The simulators of the field's benchmark draw the observations that it published, and its files are read right."""

import bz2
import zipfile
from pathlib import Path

import pytest
import torch
from inverse_parts.references import OBSERVATIONS, PROBLEMS, load, read_references, reproduced

#: The seed, the parameters and the observation number 3 of each problem, as sbibm 1.1.0 has them, to four decimals.
PUBLISHED: dict[str, tuple[int, list[float], list[float]]] = {
    "two_moons": (1000002, [0.7302, -0.3218], [0.003, -0.6458]),
    "slcp": (
        1000002,
        [2.1905, -0.9654, 2.2309, -2.9569, 1.7666],
        [3.5023, 5.2547, 8.6855, 9.9953, 0.4078, -5.7112, 10.6056, 12.6958],
    ),
    "gaussian_mixture": (1000002, [7.3016, -3.2178], [7.1683, -3.0471]),
    "gaussian_linear_uniform": (
        1000002,
        [0.7302, -0.3218, 0.7436, -0.9856, 0.5889, 0.5551, -0.0239, -0.3415, -0.9468, -0.9979],
        [0.403, -0.7875, 0.4782, -1.4466, 1.0304, 0.3699, 0.4174, -0.6283, -0.7927, -1.3378],
    ),
    "bernoulli_glm": (
        1000002,
        [3.3649, -1.2956, -2.9429, -1.9589, -0.4041, 1.5391, 2.2677, 0.8764, -0.2185, -1.8844],
        [76.0, -9.4366, -24.1407, -16.8349, -11.5501, 5.4781, 2.9004, -4.5652, -10.9788, -17.1526],
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_published_observation_follows_from_its_seed(name: str) -> None:
    seed, parameters, observation = PUBLISHED[name]
    generator = torch.Generator().manual_seed(seed)
    problem = load(name)
    x = problem.prior(1, generator)
    torch.testing.assert_close(x[0], torch.tensor(parameters), atol=1e-3, rtol=1e-4)
    y = problem.simulate(x, generator)
    torch.testing.assert_close(y[0], torch.tensor(observation), atol=1e-3, rtol=1e-4)


def test_references_are_read_from_the_archive(tmp_path: Path) -> None:
    seed, parameters, observation = PUBLISHED["two_moons"]
    with zipfile.ZipFile(tmp_path / "sbibm-1.1.0.whl", "w") as archive:
        for number in range(1, OBSERVATIONS + 1):
            folder = f"sbibm/tasks/two_moons/files/num_observation_{number}"
            archive.writestr(f"{folder}/observation_seed.csv", f"observation_seed,num_observation\n{seed},{number}\n")
            archive.writestr(f"{folder}/true_parameters.csv", f"a,b\n{parameters[0]},{parameters[1]}\n")
            shifted = observation[0] + (number == 2)  # which no seed gives
            archive.writestr(f"{folder}/observation.csv", f"a,b\n{shifted},{observation[1]}\n")
            samples = bz2.compress(f"a,b\n0.5,0.25\n{number},0.75\n".encode())
            archive.writestr(f"{folder}/reference_posterior_samples.csv.bz2", samples)
    references = read_references(tmp_path / "sbibm-1.1.0.whl", "two_moons")
    assert references.samples.shape == (OBSERVATIONS, 2, 2)
    assert references.samples[3].tolist() == [[0.5, 0.25], [4.0, 0.75]]
    assert reproduced(load("two_moons"), references) == OBSERVATIONS - 1
