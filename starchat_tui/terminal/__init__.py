"""Terminal output shared by every front end: highlighting, images, clipboard, history."""
