# expected: runs, 1 figure
import matplotlib.pyplot as plt
plt.scatter([1, 2], [2, 1], label='a'); plt.scatter([1, 2], [1, 2], label='b')
legend = plt.legend()
for handle in legend.legendHandles:
    handle.set_alpha(0.5)
plt.show()
