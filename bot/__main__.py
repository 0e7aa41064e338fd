"""``python -m bot`` is ``mergebot``."""

from bot.cli import main

main()
