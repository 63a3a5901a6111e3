# expected: hint
!pip install yfinance
import yfinance
print(yfinance.download('MSFT', period='5d'))
