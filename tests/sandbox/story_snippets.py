"""Code of the three plots in the StarChat blog post, as models of 2023 wrote it."""

BARS = """
%matplotlib inline
import pandas as pd
import matplotlib.pyplot as plt

plt.style.use('seaborn-talk')

# Create the dataframe
data = {'Name': ['Tom', 'Brad', 'Kyle', 'Jerry'],
        'Age': [20, 21, 19, 18],
        'Height': [6.1, 5.9, 6.0, 6.1]}
df = pd.DataFrame(data)

# Set the context to "talk" mode
sns.set_context("talk")

fig, (ax1, ax2) = plt.subplots(1, 2, figsize=(14, 6))

sns.barplot(x='Name', y='Age', data=df, ax=ax1)
ax1.set_title('Age by Name')

sns.barplot(x='Name', y='Height', data=df, ax=ax2)
ax2.set_title('Height by Name')
ax2.set_ylabel('Height (ft)')

plt.tight_layout()
plt.show()
"""

WORLD = """
%matplotlib inline
import geopandas as gpd
import matplotlib.pyplot as plt

# Load the world map that comes with geopandas
world = gpd.read_file(gpd.datasets.get_path('naturalearth_lowres'))

fig, ax = plt.subplots(figsize=(12, 8))
world.plot(ax=ax, color='lightgrey', edgecolor='white')

# Highlight Germany and Spain in red
world[world.name.isin(['Germany', 'Spain'])].plot(ax=ax, color='red')

ax.set_title('Germany and Spain')
ax.set_axis_off()
plt.show()
"""

SIXERS = """
%matplotlib inline
import pandas as pd
import matplotlib.pyplot as plt

sixers = pd.DataFrame({
    'player': ['Joel Embiid', 'James Harden', 'Tyrese Maxey', 'Tobias Harris',
               "De'Anthony Melton", 'P.J. Tucker'],
    'ppg': [33.1, 21.0, 20.3, 14.7, 10.1, 3.5],
    'rpg': [10.2, 6.1, 2.9, 5.7, 4.1, 3.9]})

fig, ax = plt.subplots(figsize=(10, 7))
ax.scatter(sixers['ppg'], sixers['rpg'], s=80)

# Write each player's name just above their point
for i, row in sixers.iterrows():
    ax.annotate(row['player'], (row['ppg'], row['rpg']),
                textcoords='offset points', xytext=(0, 10), ha='center')

ax.set_xlabel('Points per game')
ax.set_ylabel('Rebounds per game')
ax.set_title('Philadelphia 76ers, 2022-23')
plt.show()
"""
