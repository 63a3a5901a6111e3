# expected: runs, 1 figure; needs scipy
import numpy as np
import matplotlib.pyplot as plt
from scipy.optimize import curve_fit
from scipy.integrate import simps
def model(x, a, b):
    return a * np.exp(-b * x)
x = np.linspace(0, 4, 40)
y = model(x, 2.5, 1.3)
found, _ = curve_fit(model, x, y)
print(found.round(3), round(simps(y, x), 3))
plt.plot(x, y, 'b-')
plt.show()
