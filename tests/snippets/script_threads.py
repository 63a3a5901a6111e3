# expected: runs
import threading, time
def work(number):
    time.sleep(0.05 * number)
    print('done', number)
threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
for thread in threads:
    thread.start()
