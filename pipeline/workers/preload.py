"""What every worker needs, imported once by the forkserver so that workers start in milliseconds and share its pages.

Importing this module has to come before NumPy's first import: BLAS reads its number of threads only then.
"""

import contextlib
import gc
import os
import signal

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_variable] = "1"  # a worker is one core's worth; more threads would fight over it

from pipeline.cage2.cyborg.env import load_cyborg  # noqa: E402  # BLAS first
from pipeline.extras import NotInstalledError  # noqa: E402
from pipeline.play import rollout  # noqa: E402
from pipeline.workers import shared as shared  # noqa: E402  # for the sake of the pages

with contextlib.suppress(NotInstalledError):  # a worker that needs it says so
    load_cyborg("csle")

rollout.warm_up()
gc.freeze()  # what is shared stays shared: the collector would write to every object's header

if hasattr(signal, "pthread_sigmask") and signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
    # blocked by `birth.block_ctrl_c`. What came meanwhile passes unheard, and what comes later: workers are forked like
    # this, and a Ctrl-C may come before `birth.become_worker`
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
