"""The Gradio Space: browse, understand, compare, chat and submit.

It knows the board through ``leaderboard`` and of ``bot`` only ``recipe`` and ``errors``; torch is
loaded when the first chat model is, never before.
"""
