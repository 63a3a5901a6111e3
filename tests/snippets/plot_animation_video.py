# expected: runs, 1 figure; needs imageio_ffmpeg
import numpy as np
import matplotlib.pyplot as plt
from matplotlib import animation
fig, ax = plt.subplots()
dot, = ax.plot([1], [0], 'ro')
ax.set_xlim(-2, 2); ax.set_ylim(-2, 2)
def move(frame):
    dot.set_data([np.cos(frame / 5)], [np.sin(frame / 5)])
    return dot,
film = animation.FuncAnimation(fig, move, frames=8, interval=50, blit=True)
film.save('circle.mp4', fps=10)
plt.show()
