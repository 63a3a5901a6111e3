"""Dialogues made by rule: simple Python questions, their answers, and how to tell a right one."""
