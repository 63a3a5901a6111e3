# expected: runs, 1 figure
import matplotlib.pyplot as plt
with plt.xkcd():
    plt.plot([1, 2, 9])
    plt.xlabel('coffee'); plt.ylabel('ideas')
    plt.show()
