"""Fixtures for tests of the guest: a kernel in the sandbox, and figures drawn in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import ENVIRONMENTS, open_kernel


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
