# expected: runs
import numpy as np, pandas as pd
df = pd.DataFrame({'a': [1.234, np.NaN, 3.456]})
df = df.fillna(method='ffill').applymap(lambda value: '%.1f' % value)
print(df)
