# expected: runs, 1 figure
import seaborn as sns
import matplotlib.pyplot as plt
mpg = sns.load_dataset('mpg')
sns.factorplot(x='cylinders', y='mpg', data=mpg, kind='bar', size=3)
plt.show()
