"""What every worker needs, imported once by the forkserver so that workers start in milliseconds and share its pages.

Importing this module has to come before NumPy's first import: BLAS reads its number of threads only then.
"""

import gc
import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_variable] = "1"  # a worker is one core's worth; more threads would fight over it

import pipeline.cage2.cyborg_env  # noqa: E402  # BLAS first
import pipeline.collect.worker  # noqa: E402, F401  # imported for the sake of the pages

gc.freeze()  # what is shared stays shared: the collector would write to every object's header
