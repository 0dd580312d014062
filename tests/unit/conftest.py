import os

# The arrays of these tests are small: handing them to several threads costs more time than it saves.
os.environ.setdefault("OMP_NUM_THREADS", "1")
