"""The rival: neural posterior estimation (NPE) of the package `sbi` at its defaults, run in an environment of its own.

    ENVIRONMENT/bin/python npe.py IN.npz OUT.npz

IN.npz has the simulations `x (n, D)`, `y (n, M)`, the observations `observed (k, M)`, `count`, the number of samples of
each, and the prior: `low` and `high (D,)` of a box, or the `covariance (D, D)` of a normal distribution around zero.
OUT.npz gets `samples (k, count, D)`, `seconds` of CPU time for training and for sampling, `epochs` and `version`. One
thread is used.
"""

import sys
import time
from importlib.metadata import version

import numpy as np
import torch
from sbi.inference import NPE
from sbi.utils import BoxUniform


def main(source: str, target: str) -> None:
    """Train on the simulations and sample the posteriors of the observations."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    given = {name: torch.from_numpy(array) for name, array in np.load(source).items()}
    if "covariance" in given:
        covariance = given["covariance"]
        prior = torch.distributions.MultivariateNormal(torch.zeros(len(covariance)), covariance)
    else:
        prior = BoxUniform(given["low"], given["high"])
    begun = time.process_time()
    inference = NPE(prior=prior, show_progress_bars=False)
    inference.append_simulations(given["x"], given["y"]).train()
    trained = time.process_time()
    posterior = inference.build_posterior()
    samples = [posterior.sample((int(given["count"]),), x=one, show_progress_bars=False) for one in given["observed"]]
    np.savez(
        target,
        samples=torch.stack(samples).numpy(),
        seconds=np.array([trained - begun, time.process_time() - trained]),
        epochs=inference.summary["epochs_trained"][-1],
        version=version("sbi"),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
