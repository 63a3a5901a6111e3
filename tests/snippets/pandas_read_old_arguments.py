# expected: runs
import io
import pandas as pd
text = 'day value\n2022-01-01 3\n2022-01-02 4\n'
df = pd.read_csv(io.StringIO(text), delim_whitespace=True, parse_dates=['day'], infer_datetime_format=True)
print(df.dtypes['day'], df.value.sum())
