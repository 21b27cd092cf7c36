"""`make clean`: remove the sandbox's folder, and what PostgreSQL keeps elsewhere."""

import shutil

from flows.sandbox import postgres
from flows.sandbox.place import SANDBOX

if __name__ == "__main__":
    postgres.remove(SANDBOX / "postgres")
    shutil.rmtree(SANDBOX, ignore_errors=True)
