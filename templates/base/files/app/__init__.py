"""The application. Start reading in main.py; features.py lists what it consists of."""
