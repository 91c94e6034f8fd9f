#!/usr/bin/python3 -IS
"""The command of the image: gives up what it does not need as root, then runs the program."""

import sys

sys.path.insert(0, "/usr/lib/offspot-metrics")

from engine.runtime import rights
from offspot_metrics import main

rights.leave_root()
raise SystemExit(main())
