# expected: runs; needs jinja2
import pandas as pd
scores = pd.DataFrame({'math': [90, 55], 'art': [70, 88]}, index=['Ann', 'Bob'])
scores.style.background_gradient(cmap='Greens')
