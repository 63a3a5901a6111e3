"""Fixtures for tests of the guest: a kernel in the sandbox, and figures drawn in this process."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import ENVIRONMENTS, open_kernel


@pytest.fixture(autouse=True)
def own_finders() -> Iterator[None]:
    """Remove the finders of modules that a test has added to this process."""
    before = list(sys.meta_path)
    yield
    sys.meta_path[:] = before


@pytest_asyncio.fixture
async def kernel() -> AsyncIterator[SandboxKernel]:
    """Kernel at the best isolation level of this machine, closed after the test."""
    async with open_kernel() as one:
        yield one


@pytest_asyncio.fixture(params=ENVIRONMENTS, ids=str)
async def library_kernel(request: pytest.FixtureRequest) -> AsyncIterator[SandboxKernel]:
    """Kernel with the libraries of each environment that is tested."""
    async with open_kernel(environment=request.param) as one:
        yield one
