"""One result on every processor: the same runs while libraries and compiler believe in others than the one they are on.

Each setting is a process. What it prints of the runs is the same for all; what it prints of the libraries is not, or
the settings would show nothing.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import llvmlite.binding
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio, hashlib, json, math, sys
from dataclasses import asdict
from pathlib import Path
import numpy as np
import torch
from pipeline import Config, Pipeline
from pipeline.play import rollout
from pipeline.types import OrdersEvaluated, RunFinished, UpdateResult, WorkflowFinished, WorkflowStarted

RESULTS = WorkflowStarted, UpdateResult, WorkflowFinished, OrdersEvaluated, RunFinished
TIMES = {"collection_s", "update_s", "wall_s", "episodes_per_s"}
LITTLE = {"collector": "sequential", "episodes_per_update": 4, "episode_steps": 50, "compliance_threshold": 0.2,
          "evaluation_episodes": 2}
RUNS = {
    "search": {"total_episodes": 80, "finals_share": 0.4, "max_episodes_per_workflow": 24, "seed": 5},
    "shared": {"policy": "shared", "red_agent": "Mixed", "total_episodes": 8,
               "observation_memory": True, "actions": "merged", "recipe": "thorough"},
    "prototype": {"recipe": "prototype", "total_episodes": 12},
}

async def numbers(name):
    digest, num_fitted = hashlib.sha256(), 0
    async with Pipeline(Config(**LITTLE, **RUNS[name], run_name=name, log_dir=Path(sys.argv[1]))) as pipeline:
        async for event in pipeline.events():
            if isinstance(event, RESULTS):
                digest.update(repr({k: v for k, v in asdict(event).items() if k not in TIMES}).encode())
            num_fitted += isinstance(event, WorkflowStarted) and not math.isnan(event.ucb_score)
    for path in sorted(pipeline.run_dir.rglob("*.safetensors")):
        digest.update(path.read_bytes())
    assert (num_fitted > 2) == (name == "search"), num_fitted
    return digest.hexdigest()

def libraries():
    values = np.random.default_rng(0).uniform(-9, 9, (80, 80))
    tensor = torch.from_numpy(values)
    results = [np.exp(values), values @ values.T, [math.exp(value) for value in values.ravel()]]
    results += [part.numpy() for part in (tensor.exp(), tensor @ tensor.T, *torch.linalg.qr(tensor))]
    return hashlib.sha256(b"".join(np.asarray(result).tobytes() for result in results)).hexdigest()

rollout.warm_up()  # a run would give up on workers that compile for minutes, on a busy machine
print(json.dumps({"libraries": libraries(), **{name: asyncio.run(numbers(name)) for name in RUNS}}))
"""
SOME_KERNELS = """
import hashlib, json
import numpy as np
from pipeline.numerics.elementary64 import each_exp, each_log
from pipeline.numerics.linear_algebra import cholesky, orthonormal, product, solve_lower
from pipeline.numerics.normal import normals
from pipeline.policy.forward import Actor
from pipeline.policy.params import PolicyShape
from pipeline.ppo.returns import gae

rng, shape = np.random.default_rng(0), PolicyShape()
values = normals(rng, 60, 60)
factors = cholesky(product(values, values.T.copy()) + np.eye(60))
results = [values, factors, solve_lower(factors, values), orthonormal(values), each_exp(values), each_log(values**2)]
results += gae(values[:, :-1], values, 0.99, 0.95), normals(rng, 1000)
actor = Actor(rng.normal(0, 1, shape.actor.num_values).astype(np.float32), shape)
results += [part for seen in rng.integers(0, 2, (40, 52), np.int8) for part in actor.distribution(seen, 3)]
print(json.dumps({"kernels": hashlib.sha256(b"".join(np.asarray(part).tobytes() for part in results)).hexdigest()}))
"""
"""What is compiled in seconds: the search's arithmetic, a policy's, returns."""

pytestmark = pytest.mark.timeout(400)  # of a busy machine

HOST = llvmlite.binding.get_host_cpu_features()
SIMD = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
"""What NumPy uses of this processor beyond what it takes for granted."""
AVX_512 = [name for name in SIMD if name.startswith(("AVX512", "X86_V4"))]

SANDY_BRIDGE = {"MKL_ENABLE_INSTRUCTIONS": "AVX", "OPENBLAS_CORETYPE": "SandyBridge", "ATEN_CPU_CAPABILITY": "default"}
HASWELL = {
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "ATEN_CPU_CAPABILITY": "avx2",
    "NPY_DISABLE_CPU_FEATURES": " ".join(AVX_512),
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL",
}
ZEN = {**HASWELL, "MKL_CBWR": "AVX2", "OPENBLAS_CORETYPE": "Zen"}
SKYLAKE = {"MKL_ENABLE_INSTRUCTIONS": "AVX512", "OPENBLAS_CORETYPE": "SkylakeX", "ATEN_CPU_CAPABILITY": "avx512"}
NEHALEM = {
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "OPENBLAS_CORETYPE": "Nehalem",
    "ATEN_CPU_CAPABILITY": "default",
    "NPY_DISABLE_CPU_FEATURES": " ".join(SIMD),
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-FMA",
}
LIBRARIES = {
    "sandy-bridge": SANDY_BRIDGE,
    "zen": ZEN,
    "skylake": SKYLAKE,
    "nehalem": NEHALEM,
    "oldest": {**NEHALEM, "MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Prescott"},
}
"""What makes libraries take this processor for another one."""
FARTHEST = {"zen", "oldest"}
"""Of these, another maker's and the one that can least; those between are slow, for each trains three runs."""

NO_AVX_512 = "-avx512f,-avx512vl,-avx512bw,-avx512dq,-avx512cd"
COMPILERS = {
    "haswell": {**HASWELL, "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": f"+avx2,+fma,{NO_AVX_512}"},
    "zen": {**ZEN, "NUMBA_CPU_NAME": "znver3", "NUMBA_CPU_FEATURES": f"+avx2,+fma,{NO_AVX_512}"},
    "skylake": {**SKYLAKE, "NUMBA_CPU_NAME": "skylake-avx512", "NUMBA_CPU_FEATURES": "+avx512f,+avx512vl,+fma"},
    "nehalem": {**NEHALEM, "NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": f"+sse4.2,-fma,-avx,-avx2,{NO_AVX_512}"},
}
"""The same, and the compiler with them."""

NEEDS = {"sandy-bridge": "avx", "haswell": "avx2", "zen": "avx2", "skylake": "avx512vl"}
"""Without which a processor can't pretend."""

CALLED = re.compile(
    rb"\0((?:a?(?:cos|sin|tan)h?|atan2|cbrt|erfc?|exp(?:2|10|m1)?|hypot|log(?:2|10|1p)?|pow|[lt]gamma)f?)(?=\0)"
    rb"|(__svml_\w+)"
)
"""In machine code, the names of functions that round by the processor. (`fma` and `sqrt` have but one result.)"""


def results(environment: dict[str, str], folder: Path, program: str = PROGRAM) -> dict[str, str]:
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(folder)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    found: dict[str, str] = json.loads(finished.stdout)
    return found


def require(name: str) -> None:
    if name in NEEDS and not HOST.get(NEEDS[name]):
        pytest.skip(f"this processor has no {NEEDS[name]}")


def called_from(folder: Path) -> set[str]:
    """The library functions that kept machine code calls."""
    files = [path.read_bytes() for path in folder.rglob("*.nbc")]
    return {(plain or svml).decode() for file in files for plain, svml in CALLED.findall(file)}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return results({}, tmp_path_factory.mktemp("here"))


@pytest.fixture(scope="module")
def haswell(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Path]:
    """What some kernels come to if all believe in a processor of 2013, and their machine code."""
    require("haswell")
    folder = tmp_path_factory.mktemp("haswell")
    return results({**COMPILERS["haswell"], "NUMBA_CACHE_DIR": str(folder)}, folder, SOME_KERNELS), folder


@pytest.mark.parametrize(
    "name", [name if name in FARTHEST else pytest.param(name, marks=pytest.mark.slow) for name in LIBRARIES]
)
def test_what_libraries_choose_makes_no_difference(here: dict[str, str], name: str, tmp_path: Path) -> None:
    require(name)
    there = results(LIBRARIES[name], tmp_path)
    if name in ("nehalem", "oldest"):  # which this processor is not
        assert there["libraries"] != here["libraries"]
    assert {**there, "libraries": ""} == {**here, "libraries": ""}


def test_nor_does_what_code_is_compiled_for(haswell: tuple[dict[str, str], Path], tmp_path: Path) -> None:
    assert haswell[0] == results({}, tmp_path, SOME_KERNELS)


def assert_calls_no_mathematics(folder: Path, *expected: str) -> None:
    kernels = {path.name.partition("-")[0] for path in folder.rglob("*.nbc")}
    assert {f"pipeline.{name}" for name in expected} < kernels
    assert called_from(folder) == set()


def test_machine_code_calls_no_mathematics_of_a_library(haswell: tuple[dict[str, str], Path], tmp_path: Path) -> None:
    probe = tmp_path / "probe.py"
    probe.write_text("import math, numba\n@numba.njit(cache=True)\ndef f(x): return math.tanh(x)\nf(1.0)\n")
    subprocess.run([sys.executable, str(probe)], env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}, check=True)
    assert called_from(tmp_path) == {"tanh"}  # it would be found
    assert_calls_no_mathematics(haswell[1], "policy.forward.place_of", "numerics.linear_algebra._factorise")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", COMPILERS)
def test_nor_does_any_compiler(here: dict[str, str], name: str, tmp_path: Path) -> None:
    """Slow, for all is compiled anew: two minutes on a machine that has nothing else to do."""
    require(name)
    there = results({**COMPILERS[name], "NUMBA_CACHE_DIR": str(tmp_path / "code")}, tmp_path)
    assert {**there, "libraries": ""} == {**here, "libraries": ""}
    expected = "play.rollout.play", "ppo.compiled.epoch.run", "numerics.linear_algebra._factorise"
    assert_calls_no_mathematics(tmp_path / "code", *expected)
