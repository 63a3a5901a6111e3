# expected: runs
import pandas as pd
times = pd.date_range('2022-05-01', periods=6, freq='30T')
log = pd.DataFrame({'n': range(6)}, index=times)
print(log.groupby(pd.Grouper(freq='H')).sum())
