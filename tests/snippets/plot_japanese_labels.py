# expected: runs, 1 figure
import matplotlib.pyplot as plt
plt.rcParams['font.family'] = 'MS Gothic'
plt.plot([1, 2, 3], [4, 2, 5])
plt.title('売上の推移')
plt.show()
