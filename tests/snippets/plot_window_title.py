# expected: runs, 1 figure
import matplotlib.pyplot as plt
fig, ax = plt.subplots(num='speed')
fig.canvas.set_window_title('Speed of the sensor')
ax.plot([0, 10, 20], [0, 55, 80])
plt.show()
