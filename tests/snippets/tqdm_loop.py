# expected: runs; needs tqdm
from tqdm import tqdm
total = 0
for number in tqdm(range(100), desc='adding'):
    total += number
print(total)
