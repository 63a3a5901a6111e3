# expected: hint; needs requests
import requests
answer = requests.get('https://httpbin.org/json', timeout=5)
print(answer.json())
