# expected: runs, 1 figure
import geopandas as gpd
import matplotlib.pyplot as plt
world = gpd.read_file(gpd.datasets.get_path('naturalearth_lowres'))
cities = gpd.read_file(gpd.datasets.get_path('naturalearth_cities'))
africa = world[world.continent == 'Africa']
ax = africa.plot(color='beige', edgecolor='grey', figsize=(8, 8))
gpd.sjoin(cities, africa, op='within').plot(ax=ax, color='brown', markersize=6)
ax.set_axis_off()
plt.show()
