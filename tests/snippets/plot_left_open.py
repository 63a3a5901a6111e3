# expected: runs, 1 figure
import pandas as pd
visits = pd.Series([120, 98, 143], index=['Mon', 'Tue', 'Wed'])
visits.plot(kind='barh', title='Visits')
