# expected: hint
import seaborn as sns
exoplanets = sns.load_dataset('planets')
sns.histplot(exoplanets.year)
