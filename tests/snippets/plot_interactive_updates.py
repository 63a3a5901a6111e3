# expected: runs, 1 figure
import matplotlib.pyplot as plt
plt.ion()
fig, ax = plt.subplots()
line, = ax.plot([], [])
xs, ys = [], []
for step in range(5):
    xs.append(step); ys.append(step * step)
    line.set_data(xs, ys)
    ax.relim(); ax.autoscale_view()
    plt.pause(0.01)
plt.ioff()
plt.show()
