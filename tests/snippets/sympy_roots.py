# expected: runs, 1 figure; needs sympy
from sympy import symbols, solve, plot
x = symbols('x')
print(solve(x ** 2 - 5 * x + 6, x))
plot(x ** 2 - 5 * x + 6, (x, 0, 5))
