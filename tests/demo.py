"""Answers of nano-chat at temperature 0, as shown in the documentation and given by the engine."""

from __future__ import annotations

CONVERSATION = (
    (
        "Write a function that checks whether a number is prime.",
        """This function checks if a number is prime:

```python
def is_prime(n):
    if n < 2:
        return False
    for i in range(2, int(n ** 0.5) + 1):
        if n % i == 0:
            return False
    return True
```

It is enough to try divisors up to the square root.""",
    ),
    (
        "now add type hints",
        """Here it is with type hints:

```python
def is_prime(n: int) -> bool:
    if n < 2:
        return False
    for i in range(2, int(n ** 0.5) + 1):
        if n % i == 0:
            return False
    return True
```""",
    ),
)
