# expected: runs
from IPython.core.display import display
import pandas as pd
table = pd.DataFrame({'city': ['Oslo', 'Rome'], 'celsius': [4, 17]})
display(table)
table.describe()
