# expected: runs, 1 figure
import seaborn as sns
import matplotlib.pyplot as plt
sns.set_theme(style='ticks')
penguins = sns.load_dataset('penguins')
sns.scatterplot(data=penguins, x='bill_length_mm', y='bill_depth_mm', hue='species')
plt.show()
