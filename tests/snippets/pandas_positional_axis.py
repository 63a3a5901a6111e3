# expected: runs
import pandas as pd
df = pd.DataFrame({'a': [1, 2], 'b': [3, None], 'c': [5, 6]})
print(df.drop('a', 1).dropna(1))
print(pd.concat([df, df], 1).shape)
