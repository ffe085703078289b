"""Lugha Lens as a page: `python app.py`, and what a Space runs. `python app.py --help` lists its arguments."""

from ui.serve import main

if __name__ == "__main__":
    main()
