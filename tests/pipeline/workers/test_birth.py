from __future__ import annotations

import signal
import subprocess
import sys
import threading

from pipeline.workers.birth import block_ctrl_c


def test_ctrl_c_is_blocked_in_one_thread_alone() -> None:
    masks: list[set[signal.Signals]] = []

    def note() -> None:
        block_ctrl_c()
        masks.append({signal.Signals(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())})

    thread = threading.Thread(target=note)
    thread.start()
    thread.join()
    assert signal.SIGINT in masks[0]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_worker_takes_subnormal_numbers_for_0() -> None:
    program = (
        "import sys; from pipeline.workers.birth import become_worker; become_worker(); print(sys.float_info.min / 2)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert float(done.stdout) == 0
