# expected: runs, 1 figure
import matplotlib.pyplot as plt
fig, axs = plt.subplots(1, 3, figsize=(9, 3))
axs[0].boxplot([[1, 4, 9], [2, 3, 5]], labels=['before', 'after'])
axs[1].stem([2, 5, 1], use_line_collection=True)
axs[2].hist([1, 1, 2, 3, 3, 3], bins=3, normed=True)
for ax in axs:
    ax.grid(b=True, linestyle=':')
plt.show()
