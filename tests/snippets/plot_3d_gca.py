# expected: runs, 1 figure
import numpy as np
import matplotlib.pyplot as plt
fig = plt.figure(figsize=(6, 5))
ax = fig.gca(projection='3d')
t = np.linspace(0, 6 * np.pi, 200)
ax.plot(np.cos(t), np.sin(t), t, label='helix')
ax.legend()
plt.show()
