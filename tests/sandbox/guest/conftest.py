"""Fixtures for tests of the guest: a kernel in the sandbox, and figures drawn in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from starchat_tui.sandbox.host.kernel import SandboxKernel
from tests.sandbox.kernels import open_kernel


@pytest_asyncio.fixture
async def kernel() -> AsyncIterator[SandboxKernel]:
    """Kernel at the best isolation level of this machine, closed after the test."""
    async with open_kernel() as one:
        yield one
