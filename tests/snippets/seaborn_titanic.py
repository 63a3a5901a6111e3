# expected: runs, 1 figure
import seaborn as sns
import matplotlib.pyplot as plt
titanic = sns.load_dataset('titanic')
print(titanic.survived.mean().round(3))
sns.barplot(x='class', y='survived', hue='sex', data=titanic, ci=None)
plt.show()
