# expected: runs, 1 figure
from PIL import Image, ImageDraw, ImageFont
banner = Image.new('RGB', (320, 80), 'navy')
draw = ImageDraw.Draw(banner)
font = ImageFont.truetype('arialbd.ttf', 32)
width, height = draw.textsize('Sale!', font=font)
draw.text(((320 - width) / 2, (80 - height) / 2), 'Sale!', font=font, fill='white')
banner.resize((160, 40), Image.ANTIALIAS).save('banner.png')
