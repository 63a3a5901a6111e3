# expected: hint
from tkinter import Tk, Label
window = Tk()
Label(window, text='Hello').pack()
window.mainloop()
