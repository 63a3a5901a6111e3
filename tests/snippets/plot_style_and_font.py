# expected: runs, 1 figure
import numpy as np
import matplotlib.pyplot as plt
from matplotlib import cm
plt.style.use('seaborn-darkgrid')
plt.rcParams['font.family'] = 'Helvetica'
shares = np.array([35, 25, 40])
plt.pie(shares, labels=['web', 'app', 'api'], colors=cm.get_cmap('Pastel1')(range(3)), autopct='%d%%')
plt.title('Traffic')
plt.tight_layout()
plt.show()
