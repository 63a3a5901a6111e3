# expected: hint
import pandas as pd
df = pd.read_csv('/content/drive/MyDrive/houses.csv')
df.info()
