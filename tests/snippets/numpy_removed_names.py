# expected: runs
import numpy as np
x = np.array([1, 2, 4], dtype=np.float)
mask = np.ones(3, dtype=np.bool)
print(np.product(x), np.trapz(x), np.asscalar(x[:1]), np.alltrue(mask), np.Inf)
