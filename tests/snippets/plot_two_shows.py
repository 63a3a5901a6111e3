# expected: runs, 2 figures
import matplotlib.pyplot as plt
plt.plot([3, 1, 4, 1, 5]); plt.title('digits of pi'); plt.show()
plt.bar(['red', 'green'], [4, 7]); plt.ylabel('count'); plt.show()
