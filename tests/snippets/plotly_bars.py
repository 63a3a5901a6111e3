# expected: runs; needs plotly
import plotly.express as px
df = px.data.tips()
fig = px.histogram(df, x='day', y='total_bill', color='sex', barmode='group')
fig.show()
