# expected: runs, 1 figure
import seaborn as sns
iris = sns.load_dataset('iris')
sns.pairplot(iris, hue='species', height=1.5)
