# expected: runs, 1 figure; needs sklearn
import matplotlib.pyplot as plt
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import plot_confusion_matrix
from sklearn.model_selection import train_test_split
X, y = load_wine(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
forest = RandomForestClassifier(n_estimators=20, max_features='auto', random_state=0).fit(X_train, y_train)
plot_confusion_matrix(forest, X_test, y_test)
plt.show()
