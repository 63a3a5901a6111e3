# expected: runs
import pandas as pd
log = pd.DataFrame(columns=['step', 'loss'])
for step in range(3):
    log = log.append({'step': step, 'loss': 1 / (step + 1)}, ignore_index=True)
print(log)
for name, column in log.iteritems():
    print(name, len(column))
