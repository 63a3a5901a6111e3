# expected: runs, 1 figure
import seaborn as sns
import matplotlib.pyplot as plt
flights = sns.load_dataset('flights')
table = flights.pivot('month', 'year', 'passengers')
sns.heatmap(table, annot=True, fmt='d', linewidths=.5)
plt.show()
