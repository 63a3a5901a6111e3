# expected: runs in 2023, 1 figure
import numpy as np, pandas as pd, seaborn as sns, matplotlib.pyplot as plt
people = pd.DataFrame({'height': [170, 182, 165], 'weight': [65, 80, 55], 'name': ['A', 'B', 'C']})
corr = people.corr()
sns.heatmap(corr, mask=np.triu(np.ones_like(corr, dtype=np.bool), 1), vmin=-1, vmax=1)
plt.show()
