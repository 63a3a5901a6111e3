# expected: runs, 1 figure; needs networkx
import numpy as np
import networkx as nx
import matplotlib.pyplot as plt
G = nx.from_numpy_matrix(np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]]))
nx.draw(G, with_labels=True, node_color='lightblue')
plt.show()
