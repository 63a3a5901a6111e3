# expected: hint; lacks cv2
import cv2
camera = cv2.VideoCapture(0)
ok, frame = camera.read()
cv2.imshow('camera', frame)
