# expected: runs, 1 figure
import numpy as np
from pylab import *
ax = gca(projection='polar')
theta = np.linspace(0, 2 * np.pi, 60)
ax.plot(theta, 1 + np.sin(3 * theta))
show()
