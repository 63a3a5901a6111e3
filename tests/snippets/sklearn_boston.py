# expected: hint; needs sklearn
from sklearn.datasets import load_boston
from sklearn.linear_model import LinearRegression
boston = load_boston()
print(LinearRegression().fit(boston.data, boston.target).score(boston.data, boston.target))
