# expected: runs in 2023
import pandas as pd
df = pd.DataFrame({'team': ['x', 'y', 'x'], 'player': ['Ann', 'Bob', 'Cy'], 'points': [3, 5, 4]})
print(df.groupby('team').mean())
