# expected: runs, 1 figure
import numpy as np, pandas as pd
import matplotlib.pyplot as plt
days = pd.date_range('2021-01-01', periods=365, freq='D')
sales = pd.Series(np.arange(365), index=days)
sales.resample('M').sum().plot(marker='o')
sales.resample('Q').mean().plot()
plt.show()
