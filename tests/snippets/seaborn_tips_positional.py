# expected: runs, 1 figure
import seaborn as sns
import matplotlib.pyplot as plt
tips = sns.load_dataset('tips')
sns.boxplot('day', 'total_bill', data=tips)
plt.show()
