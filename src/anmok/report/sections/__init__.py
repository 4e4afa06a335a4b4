"""The parts of the page, one file a part; each turns plain data into markup and leaves out what is missing."""
