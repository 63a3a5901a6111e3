# expected: runs, 1 figure
import matplotlib.pyplot as plt
fig, ax = plt.subplots()
ax.plot([1, 2, 3])
for tick in ax.xaxis.get_major_ticks():
    tick.label.set_fontsize(8)
plt.show()
