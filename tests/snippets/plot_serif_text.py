# expected: runs, 1 figure
import matplotlib.pyplot as plt
plt.rcParams['font.serif'] = ['Times New Roman']
plt.rcParams['font.family'] = 'serif'
plt.plot(range(5), [n ** 2 for n in range(5)], 'ko--')
plt.xlabel(r'$n$'); plt.ylabel(r'$n^2$')
plt.savefig('squares.png', dpi=120)
plt.show()
