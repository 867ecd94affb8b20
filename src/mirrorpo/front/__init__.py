"""The front door: one function for each command, and what it returns. Light to import.

`mirrorpo` itself offers them; see there. What is heavy is imported when a function is called.
"""
