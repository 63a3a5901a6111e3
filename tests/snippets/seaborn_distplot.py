# expected: runs, 1 figure
import numpy as np, seaborn as sns, matplotlib.pyplot as plt
np.random.seed(1)
sns.distplot(np.random.randn(200), bins=15, kde=False)
plt.show()
